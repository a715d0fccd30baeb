"""Cells of layers on the RTL: the reduced models, in one simulation, with empty caches and full ones."""

from __future__ import annotations

import pytest

from tb.engine import simulate
from tb.sweep import matrix
from tb.sweep.cells import run_cells

pytestmark = pytest.mark.not_nightly("Verilator, on processes and results")

#: The memories of the registered cases' machine, so that their model serves.
TEXT = matrix.SETS["smolvlm2"].read_text()
REDUCED = TEXT.replace('model = "smolvlm2"', 'model = "reduced"').replace(
    "[memories.16]", '[memories."16/4"]\n\n[memories.16]'
)


def test_cells_of_the_reduced_models_pass() -> None:
    simulate.require("verilator")
    cells = matrix.parse(REDUCED).slice({"mlen": ["16"], "blen": ["4"], "batch": ["2"], "seq": ["4"]})
    assert [cell.values["layer"] for cell in cells] == ["prefill", "cached", "vision"]
    for result in run_cells(cells):
        assert result.passed and result.bit_exact, (result.name, result.reasons, result.error)
        assert result.cycles > result.instructions / 2 > 0 < result.phases["simulation"]
