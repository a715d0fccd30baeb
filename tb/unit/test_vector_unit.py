"""Unit tests of the vector unit: every operation, masks, hazards, stalls, throughput and latencies."""

from __future__ import annotations

import pytest

from tb.engine import simulate

SOURCES = [
    "rtl/plena_pkg.sv",
    "rtl/float/plena_fp.sv",
    "rtl/common/slot_queue.sv",
    "rtl/vector/row_writer.sv",
    "rtl/vector/vector_lanes.sv",
    "rtl/vector/reduction_tree.sv",
    "rtl/vector/topk.sv",
    "rtl/vector/vector_unit.sv",
]


@pytest.mark.parametrize("mlen", [8, 16, 64])
def test_vector_unit(mlen: int) -> None:
    sizes = {"MLEN": mlen, "VRW": 5, "FAW": 8}
    simulate.run_unit("vector_unit", SOURCES, "cocotb_vector_unit", sizes, "verilator")


def test_vector_unit_icarus() -> None:
    sizes = {"MLEN": 8, "VRW": 5, "FAW": 8}
    simulate.run_unit("vector_unit", SOURCES, "cocotb_vector_unit", sizes, "icarus")
