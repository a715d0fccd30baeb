"""Unit tests of the scalar float unit: results, out-of-order window, forwarding, FP_MEM, latencies."""

from __future__ import annotations

import pytest

from tb.engine import simulate

SOURCES = [
    "rtl/plena_pkg.sv",
    "rtl/float/plena_fp.sv",
    "rtl/common/slot_queue.sv",
    "rtl/scalar/f_file.sv",
    "rtl/scalar/float_unit.sv",
]


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_float_unit(simulator: str) -> None:
    simulate.run_unit("float_unit", SOURCES, "cocotb_float_unit", {"FAW": 6, "WINDOW": 4}, simulator)
