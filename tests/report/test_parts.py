"""The parts of the page of a run: each shows what it is made from."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from plena_ref.golden.attention import visible_keys
from plena_ref.isa.assembler import assemble
from plena_ref.isa.listing import instruction_lines, numbered
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.attention.tiling import query_tiles
from plena_ref.machine.tensors import plain
from tb.diagnosis.account import Account, Culprit, Difference
from tb.report import cycles, error_maps, listing_heat, mask_grid, memory_map, run_page
from tb.report.markup import picture
from tests.report.pages import faults

REPO = Path(__file__).parents[2]


def pixels_of(address: str) -> np.ndarray:
    """The pixels of a picture, uint8[height, width, 4]."""
    data = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    width, height = struct.unpack(">II", data[16:24])
    start = data.index(b"IDAT") + 4
    (length,) = struct.unpack(">I", data[start - 8 : start - 4])
    lines = np.frombuffer(zlib.decompress(data[start : start + length]), np.uint8)
    return lines.reshape(height, 1 + 4 * width)[:, 1:].reshape(height, width, 4)


def test_a_picture_holds_its_pixels() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (3, 5, 4)).astype(np.uint8)
    np.testing.assert_array_equal(pixels_of(picture(pixels)), pixels)


def test_units_of_the_last_place_are_those_of_bf16() -> None:
    golden = np.array([1.0, 1.99, 2.0, -100.0, 0.0])
    np.testing.assert_array_equal(error_maps.ulp(golden), [2**-7, 2**-7, 2**-6, 0.5, 2.0**-133])
    assert error_maps.errors_in_ulp(np.array([np.nan]), np.array([1.0]))[0] == np.inf


def test_a_map_marks_what_is_out_of_bounds_and_leaves_padding_apart() -> None:
    golden = np.ones((2, 4, 1, 6))
    got, right = golden.copy(), np.ones(golden.shape, bool)
    got[1, 2, 0, 3], right[1, 2, 0, 3] = 5.0, False
    shown = error_maps.section_of(got, golden, right, (8, 16))
    assert faults(shown) == []
    maps = [pixels_of(address) for address in re.findall(r"data:image/png[^\"]+", shown)]
    assert [int((m[..., 0] == 213).sum()) for m in maps] == [0, 1] and maps[1][2, 3, 0] == 213
    assert 'viewBox="0 0 16 8"' in shown and "batch 1, head 0: 1 of 24 elements out of bounds" in shown
    assert "above 256, or NaN" in shown and re.search(r"up to 0.5</td><td class=\"number\">47<", shown)


def test_the_kinds_of_cycles_are_those_of_the_trace() -> None:
    """Two at once, one, then waiting for a vector instruction, then the drain."""
    words = assemble("S_ADDI_INT gp1, gp0, 1\nM_MM 0, gp1, gp1\nV_EXP_V gp1, gp1\n")
    trace = np.array([[0, words[0], 2], [1, words[1], 2], [2, words[2], 5]], np.uint32)
    kinds = [cycles._KINDS[kind] for kind in cycles.kinds_of_cycles(trace, 8)]
    assert kinds == ["int", "int", "two", "v", "v", "one", "drain", "drain"]
    shown = cycles.section_of(trace, 8, [("dispatch", "one 12%")], "bound 3")
    assert faults(shown) == [] and 'class="u-v"' in shown and "bound 3" in shown


@pytest.mark.parametrize(("window", "seq"), [(None, 20), (6, 20), (None, 5)])
def test_the_grid_is_that_of_the_kernel(window: int | None, seq: int) -> None:
    shape = AttentionShape(1, seq, 30, 1, 8, causal=True, window=window)
    wanted = visible_keys(seq, 30, True, window)
    taken = mask_grid.taken_by(query_tiles(shape, 8), seq, 30, 8)
    np.testing.assert_array_equal(taken, wanted)
    shown = mask_grid.section_of(wanted, taken, 8)
    assert faults(shown) == [] and "the keys that the golden does" in shown
    assert shown.count('<rect class="t-') == -(-seq // 8) * 4 + 4


def test_another_mask_of_the_kernel_is_marked() -> None:
    wanted = visible_keys(20, 20, True)
    taken = wanted.copy()
    taken[9, 10] = True
    shown = mask_grid.section_of(wanted, taken, 8)
    assert (
        "In 1 tile the kernel" in shown
        and "query tile 1, key tile 1" in shown
        and "shows 1 that it must not" in shown
    )
    assert "does not say" in mask_grid.section_of(wanted, None, 8)


def test_tensors_that_share_words_lie_in_lanes() -> None:
    tensors = [plain("early", "vram", 0, 4, 16), plain("late <b>", "vram", 32, 4, 16)]
    shown = memory_map.section_of(tensors)
    assert (
        faults(shown) == [] and 'viewBox="0 0 900 48"' in shown and "late &lt;b&gt;: words 32 to 95" in shown
    )


def test_the_listing_has_counts_cycles_and_the_culprit() -> None:
    text = "; start\nS_ADDI_INT gp1, gp0, 1 ; first\nC_BREAK\n"
    words = assemble(text)
    trace = np.array([[0, words[0], 7], [0, words[0], 9], [1, words[1], 10]], np.uint32)
    lines = numbered(text, words).splitlines()
    shown = listing_heat.section_of(lines, instruction_lines(text), trace, 0)
    assert faults(shown) == [] and shown.count('class="wrong"') == 1 and "<details open>" in shown
    assert re.search(
        r'<td class="number">2</td><td class="number heat"><i style="width:100%"></i>9</td>', shown
    )
    assert "<details>" in listing_heat.section_of(lines, instruction_lines(text), trace, None)


def test_the_cause_is_told_whole() -> None:
    wrong = (Difference("vram", "S row 3", 2, ("S row 3, column 1: got 1 < 2",)),)
    culprit = Culprit(
        12,
        7,
        99,
        135.5,
        "0x00000034",
        "C_BREAK",
        "V",
        "seen",
        "a.py:3",
        ("pass 1 of 2",),
        wrong,
        ("f1",),
        ("> C",),
        4,
        1.5,
        "it did",
    )
    shown = run_page.cause(Account(wrong, ("register f1",), culprit, ("Not <bit-exact>",)))
    assert faults(shown) == []
    for said in (
        "Not &lt;bit-exact&gt;",
        "pc 7: C_BREAK",
        "cycle 99",
        "a.py:3",
        "pass 1 of 2",
        "it did",
        "got 1 &lt; 2",
    ):
        assert said in shown, said
    assert run_page.cause(None) == ""


def test_the_page_is_whole_and_stands_alone() -> None:
    page = run_page.page(
        "a & b", [run_page.verdict(False, [("cycles", "5")], ["why <not>"], "make sim"), run_page.batches([])]
    )
    assert faults(page) == [] and "<title>a &amp; b</title>" in page and "why &lt;not&gt;" in page
    assert 'href="#batches"' in page and 'href="#stages"' not in page
    assert "prefers-color-scheme: dark" in page and "$" not in page


def test_a_broken_page_is_found() -> None:
    assert faults("<p><b></p>") and faults('<img src="http://x/y.png">') and faults('<a href="#x"></a>')
    assert faults("<script></script>") == ["a script"]
