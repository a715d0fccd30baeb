"""Unit tests of the frontend: loops, instruction cache, scoreboard, counters, dispatch."""

from __future__ import annotations

import pytest

from tb.engine import simulate

FRONTEND = "rtl/frontend"
PACKAGE = "rtl/plena_pkg.sv"


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
@pytest.mark.parametrize("depth", [1, 3, 8])
def test_loop_stack(simulator: str, depth: int) -> None:
    simulate.run_unit(
        "loop_stack",
        [f"{FRONTEND}/loop_stack.sv"],
        "cocotb_loop_stack",
        {"DEPTH": depth},
        simulator,
    )


def test_icache() -> None:
    simulate.run_unit("icache", [f"{FRONTEND}/icache.sv"], "cocotb_icache", {"LINES": 64})


def test_scoreboard() -> None:
    sizes = {"NM": 8, "NV": 8, "NF": 8, "NH": 4, "VRW": 6, "TW": 2, "FAW": 6}
    sources = [f"{FRONTEND}/{name}.sv" for name in ("waiters", "dead_slots", "scoreboard")]
    simulate.run_unit("scoreboard", sources, "cocotb_scoreboard", sizes)


@pytest.mark.parametrize("width", [1, 2])
def test_dispatch(width: int) -> None:
    """Which neighbours go in one cycle: the table of tb/unit/dispatch_pairs.py, at width 1 none of them."""
    folders = ("rtl/frontend/", "rtl/scalar/gp_file", "rtl/scalar/integer_alu", PACKAGE)
    sources = [source for source in simulate.rtl_sources() if source.startswith(folders)]
    sizes = {"MLEN": 16, "BLEN": 4, "HLEN": 8, "VPREF": 4, "VSTORE": 4, "VRAM_ELEMS": 1 << 12, "VRW": 8}
    sizes |= {"MSRAM_TILES": 4, "TW": 2, "NM": 16, "ICACHE_LINES": 64, "DISPATCH_WIDTH": width}
    simulate.run_unit("frontend", sources, "cocotb_frontend", sizes)


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_perf_counters(simulator: str) -> None:
    sources = [PACKAGE, f"{FRONTEND}/perf_counters.sv"]
    simulate.run_unit("perf_counters", sources, "cocotb_perf_counters", None, simulator)
