"""What plena_core hands to the counters, against what the bench sees; faults in it show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb.engine import simulate
from tb.engine.tools import SimulationError
from tb.mutants.table import Mutant, read_mutants
from tb.mutants.trial import tree_with
from tb.system.equivalence import DIRECTED
from tb.system.instruction_work import check_against_trace
from tb.system.test_waiting_reasons import run_programs
from tb.system.waiting_programs import PROGRAMS, Program

#: Write-outs and prefetched rows beside rows of the vector unit in the same bank.
WITHHELD = Program(
    "vector",
    "bank",
    0.0,
    "M_MM 0, gp0, gp1\nM_MM_WO gp10, gp0, 0\nH_PREFETCH_V gp10, gp0, a0, 0, 0\n"
    + "V_ADD_VV gp11, gp1, gp2\n" * 12,
    30,
    latency=7,
)


def test_withheld_writes_are_counted() -> None:
    """Writes of vector and HBM unit lose against those of the unit before them; the bench sees the same."""
    result = run_programs(["withheld"], programs={"withheld": WITHHELD})["withheld"]
    check_against_trace("withheld", result, DIRECTED)
    assert result.counters.totals["vector_write_refused"] > 20, result.observed
    assert result.counters.totals["hbm_write_refused"] > 0, result.observed


#: Named faults; the reason is a part of what the check says.
WIRING = read_mutants(Path(__file__).with_name("counter_faults.toml"), "wiring")


@pytest.mark.parametrize("fault", WIRING, ids=lambda fault: fault.name)
def test_a_wrong_wire_is_caught(fault: Mutant) -> None:
    """On Icarus; without the fault the same checks pass for every program."""
    simulate.require("icarus")
    programs = {**PROGRAMS, "withheld": WITHHELD}
    with tree_with(fault) as root, pytest.raises((AssertionError, SimulationError), match=fault.reason):
        result = run_programs([fault.case], "icarus", root, programs)[fault.case]
        check_against_trace(fault.case, result, DIRECTED)
