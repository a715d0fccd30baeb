"""Nothing depends on a value that nobody gave: with four states, and with such values drawn from seeds.

The part of `make nightly` that every change runs: one small machine, programs after a reset, without one, and
after a bus error.
Every other test of this folder takes SIM=icarus and X_SEED=n from the environment.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from plena_ref.isa.assembler import assemble
from tb.bench import harness
from tb.bench.harness import Job
from tb.engine import paths, registry, simulate
from tb.fuzz.random_programs import generate
from tb.system.equivalence import bounded, random_images, run_both
from tb.system.instruction_work import check_against_trace
from tb.system.test_fuzz import machine

#: The smallest machine: its model builds fastest.
SMALL = machine(8, 4, 2, 1)
#: Simulators with four states need no seed; the others draw.
WAYS = [
    pytest.param(name, seed, id=name if seed is None else f"{name}-{seed}")
    for name, simulator in registry.SIMULATORS.items()
    for seed in ((None,) if simulator.four_state else (1, 2))
]

BUS_ERROR = """
S_ADDI_INT gp1, gp0, 64
C_SET_SCALE_REG gp1
H_PREFETCH_V gp1, gp0, a0, 0, 0
V_ADD_VV gp1, gp1, gp1
C_BREAK
"""
LOOP = """
C_LOOP_START gp1, 5
S_ADDI_INT gp2, gp2, 3
C_LOOP_END gp1
S_ST_INT gp2, gp0, 1
C_BREAK
"""


def jobs() -> dict[str, Job]:
    """A first program right after reset, then random programs, with and without a reset before each."""
    images = random_images(SMALL, 4)
    program = generate(SMALL, 69, 150)
    found = {
        "first": Job(program.words, program.images, program.limit, timeout=50_000, trace=True),
        "loop": bounded(assemble(LOOP), images),
        "bus error": bounded(assemble(BUS_ERROR), images, error_range=(64, 128)),
        "after the error": bounded(assemble(LOOP), images, reset=False),
    }
    for seed in range(6):
        program = generate(SMALL, 70 + seed, 150)
        found[f"random {seed}"] = Job(
            program.words,
            program.images,
            program.limit,
            latency=5,
            reset=seed % 2 == 0,
            timeout=50_000,
            trace=True,
        )
    return found


@pytest.mark.parametrize(("simulator", "seed"), WAYS)
def test_programs_do_not_see_unknown_values(
    simulator: str, seed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit-exact with the reference machine, and counted right, whatever the registers hold before reset."""
    monkeypatch.setenv("X_SEED", "" if seed is None else str(seed))
    monkeypatch.setenv("SIM_TIMEOUT", "120")
    pairs = run_both(SMALL, jobs(), simulator)
    # The reference machine has no bus that could fail.
    error = pairs.pop("bus error").got
    assert (error.status, error.cause) == ("trap", "HBM_ERROR")
    assert {name: pair.differences for name, pair in pairs.items() if pair.differences} == {}
    for name, pair in pairs.items():
        if pair.got.trace is not None:
            check_against_trace(name, pair.got, SMALL)


def test_a_missing_reset_shows_on_four_states(tmp_path: Path) -> None:
    """A loop on a core whose loop stack is not cleared: its depth is unknown, and a contract of it broken."""
    simulate.require("icarus")
    for part in ("rtl", "tb/bench"):
        shutil.copytree(paths.REPO / part, tmp_path / part)
    file = tmp_path / "rtl" / "frontend" / "loop_stack.sv"
    text = file.read_text()
    assert text.count("if (clear) depth_q <= '0;\n    else if (push)") == 1
    file.write_text(text.replace("if (clear) depth_q <= '0;\n    else if (push)", "if (push)"))
    job = bounded(assemble(LOOP), random_images(SMALL, 4))
    with pytest.raises(simulate.SimulationError, match="assertion loop_push_full"):
        harness.run(SMALL, [job], "icarus", root=tmp_path)
