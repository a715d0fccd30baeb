"""Unit tests of the HBM unit: transfers, bus errors and throughput."""

from __future__ import annotations

import pytest

from tb.engine import simulate

SOURCES = [
    "rtl/plena_pkg.sv",
    "rtl/hbm/plena_mx.sv",
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


def shape(mlen: int, blen: int, block: int, vpref: int, vstore: int) -> dict[str, int]:
    return {"MLEN": mlen, "BLEN": blen, "MX_BLOCK": block, "VPREF": vpref, "VSTORE": vstore}


@pytest.mark.parametrize(
    "parameters",
    [shape(8, 4, 8, 4, 4), shape(16, 4, 8, 5, 3), shape(64, 16, 8, 16, 16), shape(32, 8, 16, 40, 8)],
    ids=lambda parameters: "-".join(map(str, parameters.values())),
)
def test_hbm(parameters: dict[str, int]) -> None:
    simulate.run_unit("hbm_bench", SOURCES, "cocotb_hbm", parameters, "verilator")


def test_hbm_rows_of_four_beats() -> None:
    simulate.run_unit(
        "hbm_bench",
        SOURCES,
        "cocotb_hbm",
        shape(256, 64, 8, 8, 4),
        "verilator",
        testcase="random_transfers/seed=[14]|store_then_prefetch|order|faults|throughput",
        environment={"HBM_TRANSFERS": "4"},
    )


def test_hbm_icarus() -> None:
    simulate.run_unit(
        "hbm_bench",
        SOURCES,
        "cocotb_hbm",
        shape(16, 4, 8, 4, 4),
        "icarus",
        environment={"HBM_TRANSFERS": "8"},
    )
