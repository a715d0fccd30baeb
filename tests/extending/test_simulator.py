"""docs/extending/simulator.md, carried out: simulators that are added step by step, and steps left out."""

from __future__ import annotations

import pytest

from tests.extending.steps import Variant
from tests.extending.trial import not_missed, page, works

#: What is drawn from: each changes another part of the command line that runs a model.
VARIANTS = [
    Variant(
        {
            "name": "icarus_nice",
            "class": "IcarusNice",
            "base": "Icarus",
            "module": "icarus",
            "what": "Icarus Verilog that leaves the processor to others",
            "before": '"nice", ',
            "after": "",
            "states": "four",
            "coverage": "no",
            "unknowns": "no",
            "use": "beside other work",
        }
    ),
    Variant(
        {
            "name": "icarus_marked",
            "class": "IcarusMarked",
            "base": "Icarus",
            "module": "icarus",
            "what": "Icarus Verilog whose runs can be told apart by an argument",
            "before": "",
            "after": ', "+marked=1"',
            "states": "four",
            "coverage": "no",
            "unknowns": "no",
            "use": "to find its processes",
        }
    ),
]
CASE = "TEST=mha_ragged MLEN=8 BLEN=4 HLEN=4 SEQ=5 HEAD_DIM=8 HEADS=1 BATCH=1 VRAM_ELEMS=4096 MSRAM_TILES=4"


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.values["name"])
def test_all_steps_make_a_simulator(variant: Variant) -> None:
    """It passes its conformance tests, is clean, and runs a case."""
    name = variant.values["name"]
    works(
        "simulator.md",
        variant,
        "icarus",
        (
            ("python -m pytest -q -p no:cacheprovider tests/engine/test_simulators.py", "passed"),
            (f"python -m scripts.run_case SIM={name} HBM_BYTES=65536 {CASE}", f" on {name}"),
            (f"python -m ruff check tb/engine/{name}.py tb/engine/registry.py", "passed"),
        ),
    )


def test_a_step_that_is_left_out_is_named() -> None:
    assert not_missed(page("simulator.md"), VARIANTS[0]) == []
