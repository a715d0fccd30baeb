"""Unit tests of the HBM unit: transfers, bus errors and throughput."""

from __future__ import annotations

import pytest

from tb.engine import paths, simulate
from tb.mutants.table import Mutant
from tb.mutants.trial import tree_with

SOURCES = [
    "rtl/plena_pkg.sv",
    "rtl/hbm/stream_fifo.sv",
    "rtl/hbm/read_request.sv",
    "rtl/hbm/row_gather.sv",
    "rtl/hbm/axi_read_arbiter.sv",
    "rtl/hbm/id_groups.sv",
    "rtl/hbm/dma_read.sv",
    "rtl/hbm/row_scatter.sv",
    "rtl/hbm/dma_write.sv",
    "rtl/hbm/hbm_unit.sv",
    "tb/bench/axi_checker.sv",
    "tb/unit/hdl/hbm_bench.sv",
]


def shape(mlen: int, blen: int, block: int, vpref: int, vstore: int, bf16: int = 0) -> dict[str, int]:
    """Parameters of the bench; with `bf16` rows may lie in HBM as bf16, and elements are those of PLENA."""
    sizes = {"MLEN": mlen, "BLEN": blen, "MX_BLOCK": block, "VPREF": vpref, "VSTORE": vstore}
    return {**sizes, "ELEMENT": bf16, "HBM_BF16": bf16}


@pytest.mark.parametrize(
    "parameters",
    [
        shape(8, 4, 8, 4, 4),
        shape(16, 4, 8, 5, 3),
        shape(64, 16, 8, 16, 16),
        shape(32, 8, 16, 40, 8),
        shape(16, 4, 8, 5, 3, bf16=1),
    ],
    ids=lambda parameters: "-".join(map(str, parameters.values())),
)
def test_hbm(parameters: dict[str, int]) -> None:
    simulate.run_unit("hbm_bench", SOURCES, "cocotb_hbm", parameters, "verilator")


def run_short(parameters: dict[str, int], simulator: str, transfers: int, tests: str | None = None) -> None:
    """The same with few transfers, and of the tests only those that match, if given."""
    simulate.run_unit(
        "hbm_bench",
        SOURCES,
        "cocotb_hbm",
        parameters,
        simulator,
        testcase=tests,
        environment={"HBM_TRANSFERS": str(transfers)},
    )


def test_hbm_rows_of_four_beats() -> None:
    tests = "random_transfers/seed=[14]|store_then_prefetch|order|faults|throughput"
    run_short(shape(256, 64, 8, 8, 4), "verilator", 4, tests)


def test_hbm_bf16_rows_of_eight_beats() -> None:
    run_short(shape(256, 64, 8, 8, 4, bf16=1), "verilator", 4, "random_transfers/seed=[14]|take_turns")


def test_hbm_icarus() -> None:
    run_short(shape(16, 4, 8, 4, 4), "icarus", 8)
    run_short(shape(8, 4, 8, 4, 4, bf16=1), "icarus", 8, "random_transfers/seed=[13]|take_turns")


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_hbm_abort(simulator: str) -> None:
    simulate.run_unit("hbm_bench", SOURCES, "cocotb_hbm_abort", shape(16, 4, 8, 4, 4), simulator)


def fault(name: str, file: str, old: str, new: str, channel: str) -> Mutant:
    """A fault of the abort, with the channel that shows it."""
    return Mutant(name, f"rtl/hbm/{file}.sv", old, new, case=channel, reason="AssertionError")


FAULTS = (
    fault("owed beats go out with strobes", "row_scatter", "owing ? 64'd0 : 64'", "64'", "w"),
    fault("owed beats are not sent", "row_scatter", "owing_q <= 1'b1;", "owing_q <= 1'b0;", "w"),
    fault(
        "late data is taken",
        "hbm_unit",
        "m_axi_rvalid && ids_ready && m_axi_rid[3:2] == group;",
        "m_axi_rvalid;",
        "r",
    ),
    fault("late responses count", "row_scatter", "m_axi_bvalid && ready && m_axi_bgroup == group;",
          "m_axi_bvalid;", "b"),
    fault("a read address falls", "hbm_unit", "      .step(read_step),",
          "      .rst(rst || abort),\n      .step(read_step),", "ar"),
    fault("a write address falls", "row_scatter", "if (rst) begin\n      owing_q",
          "if (rst || abort) begin\n      owing_q", "aw"),
    fault("the group of IDs stays", "id_groups", "assign clean = ~(reading | writing);",
          "assign clean = 4'd1;", "r"),
)  # fmt: skip


@pytest.mark.parametrize("mutant", FAULTS, ids=lambda mutant: mutant.name)
def test_a_fault_of_the_abort_is_noticed(mutant: Mutant) -> None:
    """On Icarus, which compiles the faulty copy at once."""
    simulate.require("icarus")
    sizes = shape(16, 4, 8, 4, 4)
    with tree_with(mutant) as root:
        model = simulate.build("hbm_bench", SOURCES, parameters=sizes, simulator="icarus", root=root)
    with pytest.raises(simulate.SimulationError, match="abort_on_a_channel"):
        here = paths.REPO / "tb" / "unit"
        simulate.run(model, "cocotb_hbm_abort", search=[here], testcase=f"channel={mutant.case}$")
