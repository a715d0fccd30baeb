"""Places in the waves of a run: stages from its listing, instructions from its trace, the first wrong one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from plena_ref.isa.listing import numbered
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES
from tb.bench import gtkwave, wave_filters, wave_markers, wave_places
from tb.bench.gtkwave import Window
from tb.bench.wave_views import BIT, NUMBERS, ROW, Line, View


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with a listing, and a trace in which instruction k retires in cycle 10 + k, twice."""
    work = build(CASES["mha_ragged"])
    (tmp_path / "program.lst").write_text(numbered(work.listing, work.words))
    once = np.stack([np.arange(len(work.words)), work.words, 10 + np.arange(len(work.words))], axis=1)
    np.save(tmp_path / "trace.npy", np.concatenate([once, once + np.array([0, 0, 5000])]).astype(np.uint32))
    return tmp_path


def test_stages_are_the_outermost_parts(run: Path) -> None:
    listing = (run / "program.lst").read_text()
    found = dict((name, cycle) for cycle, name in wave_markers.stages(run))
    line = next(line for line in listing.splitlines() if "triangle: row i" in line)
    pc = int(line.partition(";")[2].split()[0])
    assert found["triangle: row i sees columns 0..i+0"] == 10 + pc
    assert [*found] == [name for _, name in wave_markers.marked(run)]
    assert not any("column block 0" in name for name in found), "what lies in a loop is no stage"


def test_places(run: Path) -> None:
    assert wave_markers.cycle_of(run, "700") == wave_markers.cycle_of(run, "cycle:700") == 700
    assert wave_markers.cycle_of(run, "pc:12") == 22
    assert wave_markers.cycle_of(run, "stage:TRIANGLE") > 10
    (run / "result.json").write_text(json.dumps({"account": {"culprit": {"cycle": 99}}}))
    assert wave_markers.cycle_of(run, "wrong") == 99


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("pc:99999", "no instruction at pc 99999 retired"),
        ("stage:nowhere", "there are HBM tensors: K and V"),
        ("wrong", "no wrong instruction is known"),
        ("cycle:soon", "give cycle:700"),
    ],
)
def test_places_that_a_run_does_not_have(run: Path, place: str, why: str) -> None:
    with pytest.raises(wave_places.WavePlaceError, match=f"AT={place}: {why}"):
        wave_markers.cycle_of(run, place)


def test_the_unit_that_works_at_a_place(run: Path) -> None:
    work = build(CASES["mha_ragged"])
    first = next(pc for pc, word in enumerate(work.words) if word & 0x3F == 0x13)
    assert wave_markers.unit_at(run, 10 + first) == "vector unit"
    assert wave_markers.unit_at(run, 10**6) == "frontend"


def test_lines_of_a_save_file() -> None:
    """Bits of a vector, numbers, and a signal that the dump does not hold."""
    view = View("a", (Line("t.v", BIT, "one", 2, 1), Line("t.v", NUMBERS, "part", 0, 2), Line("t.gone", BIT)))
    text = gtkwave.text("d.fst", "s.gtkw", {"t.v": 4}, Window(0, 1000, 5, ((7, "here"),)), [view], [])
    assert "+{one} (1)t.v[3:0]\n" in text and "#{part} (2)t.v[3:0] (3)t.v[3:0]\n" in text
    assert "t.gone" not in text and "\n[markername] Ahere\n" in text
    assert text.splitlines()[3].split()[1:4] == ["5", "7", "-1"]


def test_numbers_of_the_process(tmp_path: Path) -> None:
    """Four digits are a bf16, the lowest first; what is unknown stays as it is."""
    wave_filters.write(tmp_path, {})
    given = "3FC0\n40003f80\nxxxx\n7fc0ff80\n0\n"
    program = [sys.executable, str(tmp_path / wave_filters.NUMBERS_PROGRAM)]
    said = subprocess.run(program, input=given, capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["1.5", "1  2", "xxxx", "-inf  nan", "0"]
    program = [sys.executable, str(tmp_path / wave_filters.SUMS_PROGRAM)]
    said = subprocess.run(program, input="3fc0000040490fdb\n", capture_output=True, text=True).stdout
    assert said == "3.142  1.5\n"


def test_rows_by_name(tmp_path: Path) -> None:
    """A row of VRAM is looked up as decimal, and shown with its tensor; the others stay numbers."""
    wave_filters.write(tmp_path, {5: "S[0, 1] row 3 or P", 40: "O row 0"})
    assert (tmp_path / wave_filters.file_of(ROW)).read_text() == "5 5 S[0, 1] row 3 or P\n40 40 O row 0\n"
    view = View("a", (Line("t.row", ROW),))
    text = gtkwave.text("d.fst", "s.gtkw", {"t.row": 7}, Window(0, 1000), [view], [])
    assert f"@2024\n^1 {wave_filters.file_of(ROW)}\nt.row[6:0]\n" in text
