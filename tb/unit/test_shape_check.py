"""The limits of a machine's shape: the RTL refuses exactly what plena_ref/machine/hardware.py refuses."""

from __future__ import annotations

from itertools import product

import pytest

from plena_ref.isa.formats import FORMATS, TRANSFER_CLASSES
from plena_ref.machine.hardware import Hardware, HardwareError
from tb.engine import icarus_bench, simulate
from tb.engine.paths import REPO

SOURCE = "rtl/shape_check.sv"
SMALL = {"MLEN": 16, "BLEN": 4, "HLEN": 8, "VRAM_ELEMS": 1 << 12, "MSRAM_TILES": 4, "FP_WORDS": 64}
SMALL |= {"INT_WORDS": 16, "VPREF": 4, "VSTORE": 4, "MX_BLOCK": 8, "LOOP_DEPTH": 8, "DISPATCH_WIDTH": 2}
SMALL |= {"ELEMENT": 0, "HBM_BF16": 0}
MIXED = {"MLEN": 64, "VRAM_ELEMS": 1 << 23}

#: For each parameter values on both sides of each of its limits, on top of the small machine.
EDGES: list[dict[str, int]] = [
    *({"MLEN": mlen, "FP_WORDS": 512, "HLEN": 8} for mlen in (4, 8, 12, 16, 256, 512)),
    *({"BLEN": blen} for blen in (0, 2, 4, 6, 16, 32)),
    *({"HLEN": hlen} for hlen in (0, 1, 3, 16, 32)),
    *({"MLEN": 64, "FP_WORDS": 128, "HLEN": hlen} for hlen in (1, 2)),
    *({"MX_BLOCK": block} for block in (-8, 0, 1, 4, 8, 12, 16, 32)),
    *({**MIXED, "FP_WORDS": 128, "MX_BLOCK": block} for block in (32, 64, 128)),
    *({"ELEMENT": element} for element in (-1, 0, 1, 2)),
    *({"HBM_BF16": classes} for classes in (-1, 0, 15, 16)),
    *({"LOOP_DEPTH": depth} for depth in (-1, 0, 1, 255, 256)),
    *({"DISPATCH_WIDTH": width} for width in (0, 1, 2, 3)),
    *({"VRAM_ELEMS": elems} for elems in (-128, 0, 64, 128, 192, 1 << 29, (1 << 29) + 128, 1 << 30)),
    *({"MSRAM_TILES": tiles} for tiles in (-1, 0, 1, 1 << 21, (1 << 21) + 1)),
    *({"FP_WORDS": words} for words in (-32, 0, 16, 32, 48, 1 << 24, (1 << 24) + 32)),
    *({"INT_WORDS": words} for words in (0, 1, 2, 1 << 24, (1 << 24) + 1)),
    *({key: rows} for key, rows in product(("VPREF", "VSTORE"), (-1, 0, 1, 256, 257, 65_535, 65_536))),
    *({**MIXED, "FP_WORDS": 128, key: rows} for key, rows in product(("VPREF", "VSTORE"), (65_535, 65_536))),
]


def python_refuses(shape: dict[str, int]) -> str:
    """The rule that the shape breaks, or nothing."""
    given = {name.lower(): value for name, value in shape.items()}
    element, classes = given.pop("element"), given.pop("hbm_bf16")
    names = ["unknown", *FORMATS, "unknown"]
    chosen = [name for bit, name in enumerate((*TRANSFER_CLASSES, "unknown")) if classes >> bit & 1]
    try:
        Hardware(**given, element=names[element + 1], hbm_bf16=",".join(chosen) or "none")
    except HardwareError as error:
        return str(error)
    return ""


def rtl_refuses(shape: dict[str, int]) -> str:
    """What the elaborated checks say about the shape, or nothing."""
    ran = icarus_bench.run("shape_check", [SOURCE], root=REPO, **shape)
    assert ran.compiled and (ran.status != 0) == ("FATAL" in ran.text), ran.text
    return ran.text


@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_rtl_and_python_have_the_same_limits(edge: dict[str, int]) -> None:
    simulate.require("icarus")
    shape = {**SMALL, **edge}
    python, rtl = python_refuses(shape), rtl_refuses(shape)
    assert bool(python) == bool(rtl), f"Python: {python or 'takes it'}; RTL: {rtl or 'takes it'}"
    if python:
        assert any(name in rtl and name in python for name in edge), (python, rtl)


def test_every_parameter_has_both_sides() -> None:
    """Each parameter of the check is both taken and refused by some edge."""
    for name in SMALL:
        verdicts = {bool(python_refuses({**SMALL, **edge})) for edge in EDGES if name in edge}
        assert verdicts == {False, True}, name


@pytest.mark.parametrize("size", [(1 << 30) + 64, 2 << 30, 4 << 30])
def test_an_hbm_that_is_too_large_is_refused_at_once(size: int) -> None:
    with pytest.raises(HardwareError, match="HBM_BYTES must not exceed 2\\^30"):
        Hardware(hbm_bytes=size)


def test_the_memory_of_the_bench_has_the_same_limit() -> None:
    """Behind HBM lie 4 MiB for programs; one line more is refused."""
    simulate.require("icarus")
    size = (1 << 30) + (4 << 20) + 64
    ran = icarus_bench.run("axi_memory", ["tb/bench/axi_memory.sv"], BYTES=size)
    assert ran.compiled and f"BYTES={size} must be a multiple of 64, at most 2^30 + 2^22" in ran.text
