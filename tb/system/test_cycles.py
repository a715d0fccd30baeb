"""Cycle counts are exact: what the model does now is what the committed table says."""

from __future__ import annotations

import statistics

import pytest

from plena_ref.workloads.registry import CASES
from tb.system import cycles
from tb.system.test_cases import REGRESSION

pytestmark = pytest.mark.not_nightly("speed")


def test_cycles_are_those_of_the_table() -> None:
    """Every entry, to the cycle: here those that test_cases.py does not run as cases, and compare.

    A change that is meant is written down by `make cycles`.
    """
    table = cycles.read()
    assert list(table) == cycles.entries(), "run `make cycles`"
    assert {f"TEST={name}" for name in CASES if name != "mha"} < set(table)
    measured = cycles.measure(set(table) - {f"TEST={name}" for name, _ in REGRESSION})
    changed = {entry: (table[entry], now) for entry, now in measured.items() if now != table[entry]}
    assert not changed, "cycles differ from tb/system/cycles.json; if that is meant, run `make cycles`"
    assert cycles.TABLE.read_text() == cycles.to_text(table)


def test_the_plain_form_takes_less_than_a_cycle_an_instruction() -> None:
    """Programs of compilers at memory latency 100, HBM included: geometric mean at 64/16, each ragged one."""
    table = cycles.read()
    ratio = {entry: counts["cycles"] / counts["instructions"] for entry, counts in table.items()}
    plain = "KERNEL=plain_attention"
    tiles = [ratio[f"TEST=mha_causal_tiles {plain}{rest}"] for rest in cycles.PLAIN_SEQUENCES]
    assert statistics.geometric_mean(tiles) <= 0.90
    assert max(ratio[f"TEST=mha_ragged {plain}{rest}"] for rest in ("", " SEQ=70")) <= 0.90
    assert ratio[f"TEST=mha_ragged {plain} DISPATCH_WIDTH=1"] <= 1.15


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
