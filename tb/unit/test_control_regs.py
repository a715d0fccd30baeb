"""Unit tests of the control registers, and named faults in them, each of which a test must notice."""

from __future__ import annotations

import pytest

from tb.engine import paths, simulate
from tb.mutants.table import Mutant
from tb.mutants.trial import tree_with

FILE = "rtl/frontend/control_regs.sv"
SOURCES = ["rtl/plena_pkg.sv", FILE]
SIZES = {"MLEN": 32, "BLEN": 8, "HLEN": 16, "VPREF": 8, "VSTORE": 4, "ELEMENT": 1, "HBM_BF16": 5}


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
@pytest.mark.parametrize("module", ["cocotb_control_regs", "cocotb_register_states"])
def test_control_regs(module: str, simulator: str) -> None:
    simulate.run_unit("control_regs", SOURCES, module, SIZES, simulator)


def fault(name: str, old: str, new: str, case: str) -> Mutant:
    """A fault of the control registers; `case` is the cocotb test that must fail."""
    return Mutant(name=name, file=FILE, old=old, new=new, case=case, reason="AssertionError")


#: The cocotb tests, by what they look at.
STATES, LATE, EVENTS = (
    "every_register_in_every_state",
    "undrained_aborted_refused",
    "an_event_in_the_cycle_of_its_clearing",
)
FAULTS = (
    fault(
        "STATUS.TRAPPED is set after reset",
        "_RESET;\n      stopped_q <= 1'b0;\n      trapped_q <= 1'b0;",
        "_RESET;\n      stopped_q <= 1'b0;\n      trapped_q <= 1'b1;",
        STATES,
    ),
    fault(
        "BASE_HI is written whatever the strobes",
        "base[63:32] <= (base[63:32] & ~wmask_q) | (wdata_q & wmask_q);",
        "base[63:32] <= wdata_q;",
        STATES,
    ),
    fault("BASE can be written while a program runs", "write_hit = !running;", "write_hit = 1'b1;", STATES),
    fault("CAUSE keeps its value over a start", "if (start || resume || (abort", "if ((abort", STATES),
    fault(
        "an event wins over the clearing of another",
        "irq_status_q <= (irq_status_q & ~irq_clear) | irq_set;",
        "irq_status_q <= stop ? irq_status_q | irq_set : irq_status_q & ~irq_clear;",
        EVENTS,
    ),
    fault(
        "a clearing wins over an event",
        "irq_status_q <= (irq_status_q & ~irq_clear) | irq_set;",
        "irq_status_q <= (irq_status_q | irq_set) & ~irq_clear;",
        EVENTS,
    ),
    fault(
        "an undrained machine starts",
        "assign start = wants_start && !undrained_q && ids_ready;",
        "assign start = wants_start && ids_ready;",
        LATE,
    ),
    fault(
        "an aborted program is resumed",
        "!undrained_q && ids_ready && !aborted_q;",
        "!undrained_q && ids_ready;",
        LATE,
    ),
    fault(
        "late reads shown as late writes",
        "(32'(late_reads) << plena_pkg::CSR_STATUS_LATE_READS_LSB)",
        "(32'(late_reads) << plena_pkg::CSR_STATUS_LATE_WRITES_LSB)",
        LATE,
    ),
    fault(
        "an abort keeps the pc of the stop before",
        "if (stop || (abort && running)) pc_q",
        "if (stop) pc_q",
        LATE,
    ),
)


@pytest.mark.parametrize("mutant", FAULTS, ids=lambda mutant: mutant.name)
def test_a_fault_is_noticed(mutant: Mutant) -> None:
    """On Icarus, which compiles the faulty copy at once."""
    simulate.require("icarus")
    with tree_with(mutant) as root:
        model = simulate.build("control_regs", SOURCES, parameters=SIZES, simulator="icarus", root=root)
    with pytest.raises(simulate.SimulationError, match=mutant.case):
        here = paths.REPO / "tb" / "unit"
        simulate.run(model, "cocotb_register_states", search=[here], testcase=mutant.case)
