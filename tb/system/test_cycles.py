"""Cycle counts are exact: what the model does now is what the committed table says."""

from __future__ import annotations

import pytest

from plena_ref.cases import CASES
from scripts import cycles


def test_cycles_are_those_of_the_table() -> None:
    """Every entry, to the cycle. A change that is meant is written down by `make cycles`."""
    table = cycles.read()
    assert list(table) == cycles.entries(), "run `make cycles`"
    assert {f"TEST={name}" for name in CASES if name != "mha"} < set(table)
    measured = cycles.measure(table)
    changed = {entry: (table[entry], now) for entry, now in measured.items() if now != table[entry]}
    assert not changed, "cycles differ from tb/system/cycles.json; if that is meant, run `make cycles`"
    assert cycles.TABLE.read_text() == cycles.to_text(measured)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("TEST=nothing", "TEST=nothing: 'nothing'"),
        ("TEST=mha_ragged LATENCY=0", r"LATENCY=0 lies outside 1\.\.65535"),
        ("TEST=mha_ragged SEQ=0", "mha_ragged: "),
    ],
)
def test_an_entry_that_cannot_run_is_named(entry: str, message: str) -> None:
    with pytest.raises(cycles.CyclesError, match=message):
        cycles.measure([entry])
