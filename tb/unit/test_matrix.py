"""Unit tests of the matrix unit: systolic array, write-out, queue; values, rates, stalls, start and flush."""

from __future__ import annotations

import pytest

from tb.engine import simulate

SOURCES = [
    "rtl/plena_pkg.sv",
    "rtl/float/plena_fp.sv",
    "rtl/common/slot_queue.sv",
    "rtl/matrix/pass_walk.sv",
    "rtl/matrix/writeout_order.sv",
    "rtl/matrix/operand_pairs.sv",
    "rtl/matrix/array_control.sv",
    "rtl/matrix/systolic_array.sv",
    "rtl/matrix/writeout.sv",
    "rtl/memory/ram_1r1w.sv",
    "rtl/matrix/head_sums.sv",
    "rtl/matrix/matrix_unit.sv",
]


def run(mlen: int, blen: int, hlen: int, slots: int, simulator: str) -> None:
    """Run every cocotb test on one shape."""
    sizes = {"MLEN": mlen, "BLEN": blen, "HLEN": hlen, "Q": slots, "VRW": 6, "TW": 1}
    simulate.run_unit("matrix_unit", SOURCES, "cocotb_matrix", sizes, simulator)


# HLEN above, equal to and below BLEN; one lane; one mini-array.
@pytest.mark.parametrize(
    ("mlen", "blen", "hlen", "slots"),
    [(16, 4, 8, 32), (8, 8, 8, 2), (8, 8, 2, 8), (32, 8, 8, 32), (16, 8, 4, 8)],
)
def test_matrix(mlen: int, blen: int, hlen: int, slots: int) -> None:
    run(mlen, blen, hlen, slots, "verilator")


def test_matrix_icarus() -> None:
    run(8, 4, 2, 8, "icarus")
