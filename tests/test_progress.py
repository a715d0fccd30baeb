"""Progress: what is shown of steps and simulations on a terminal, and that a pipe sees nothing of it."""

from __future__ import annotations

import os
import pty
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.isa.loops import executions, may_end_early
from plena_ref.machine.reference import Machine
from plena_ref.machine.reference.step import Step as MachineStep
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES
from tb.bench import job_runner, progress, trace_progress
from tb.bench.job import Job
from tb.engine import paths, steps
from tb.engine.steps import Look, Step

REPO = Path(__file__).parents[1]
#: A command with one slow step.
SLOW = """
import sys, time
from tb.bench import command, progress
from tb.engine import steps
progress.PATIENCE = 0.3
def main(arguments):
    with steps.step("C++ compiler", look=lambda: steps.Look(0.25, "3 of 12 files")):
        time.sleep(1.2)
    print("verdict")
    return 0
sys.exit(command.run(main, []))
"""


def test_executions_are_those_of_the_reference_machine() -> None:
    """Each instruction's; in a body that may end its loop early no more than that."""
    early_somewhere = False
    for name in ("mha_ragged", "mha_causal_tiles", "decode_batch", "rms_norm", "top_k"):
        workload = build(CASES[name])
        ran: Counter[int] = Counter()

        def watch(pc: int, step: MachineStep, ran: Counter[int] = ran) -> MachineStep:
            def watched() -> int | None:
                ran[pc] += 1
                return step()

            return watched

        Machine(workload.hardware, workload.images, workload.limit).run(workload.words, watch=watch)
        early = {pc for body in may_end_early(workload.words) for pc in body}
        early_somewhere |= bool(early)
        for pc, most in enumerate(executions(workload.words)):
            assert 0 < ran[pc] <= most if pc in early else ran[pc] == most, (name, pc)
    assert early_somewhere


def test_a_body_that_sets_its_counter_may_end_early() -> None:
    """One that lays it aside and loads it again does not, nor one that only reads it."""
    body = "C_LOOP_START gp1, 4\n{}C_LOOP_END gp1\nC_BREAK\n"
    kept = "S_ST_INT gp1, gp0, 0\nS_ADDI_INT gp1, gp0, 9\nS_LD_INT gp1, gp0, 0\n"
    inner = "C_LOOP_START gp2, 4\nS_ADDI_INT gp1, gp2, 0\nC_LOOP_END gp2\n"
    texts = ("S_ADDI_INT gp2, gp1, 0\n", kept, "S_ADDI_INT gp1, gp0, 9\n", inner)
    found = [may_end_early(assemble(body.format(text))) for text in texts]
    assert found == [[], [], [range(1, 3)], [range(1, 5)]]


def test_what_follows_a_stop_does_not_run() -> None:
    text = "C_LOOP_START gp1, 3\nS_ADDI_INT gp2, gp2, 1\nC_LOOP_END gp1\nC_BREAK\nS_ADDI_INT gp2, gp2, 1\n"
    assert executions(assemble(text)) == [1, 3, 3, 1, 0]


def test_lines_about_steps() -> None:
    step = Step("C++ compiler", 10.0, 20.0, None)
    line = progress.describe(step, Look(None, "3 of 9 files"), 15.0)
    assert line == "C++ compiler: 3 of 9 files, 5 s, 20 s last time"
    assert progress.share(step, Look(None, ""), 15.0) == 0.25
    assert progress.share(step, Look(None, ""), 99.0) == 0.99
    simulation = Step("simulation", 10.0, None, None)
    assert progress.describe(simulation, Look(0.25, "7 cycles"), 15.0).endswith("7 cycles, 5 s, 15 s left")
    assert progress.share(simulation, Look(None, ""), 15.0) is None


def test_seconds_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    with steps.step("outer"), steps.step("inner", "key"):
        first = steps.current()
    assert first is not None and (first.name, first.before) == ("inner", None)
    with steps.step("inner", "key"):
        again = steps.current()
    assert again is not None and again.before is not None
    (tmp_path / "seconds.json").write_text("[broken")
    with steps.step("inner", "key"):
        assert steps.current() is not None
    assert steps.current() is None


def test_a_step_that_fails_keeps_no_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    with pytest.raises(ValueError, match="broken"), steps.step("step", "key"):
        raise ValueError("broken")
    assert steps.current() is None and not (tmp_path / "seconds.json").exists()


def test_how_far_a_simulation_is(tmp_path: Path) -> None:
    words = assemble("C_LOOP_START gp1, 8\nS_ADDI_INT gp2, gp2, 1\nC_LOOP_END gp1\nC_BREAK\n")
    job = Job(words, None, trace=True)
    place = tmp_path / "job0"
    place.mkdir()
    (place / "offsets").write_text("")
    assert trace_progress.look(tmp_path, [job]).share == 0
    # Half an entry is at the end, as the simulator's buffer leaves it.
    entry = struct.pack("<3I", 1, words[1], 4000)
    (place / "trace.out").write_bytes(9 * entry + entry[:5])
    found = trace_progress.look(tmp_path, [job])
    assert found.share == 0.5 and found.text.startswith("4,000 cycles, ")
    assert found.text.endswith("cycles/s, 50% of 18 instructions")
    (place / job_runner.CYCLES_FILE).write_text("90000")
    untraced = trace_progress.look(tmp_path, [Job(words, None)])
    assert untraced.share is None and untraced.text.startswith("90,000 cycles, ")
    (tmp_path / "job1").mkdir()
    (tmp_path / "job1" / "trace.out").write_bytes(9 * entry)
    assert trace_progress.look(tmp_path, [job, job]).share == 0.75


def run_on_terminal(more: dict[str, str]) -> str:
    """What the slow command writes on a terminal."""
    ours, its = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "100", **more}
    with subprocess.Popen(
        [sys.executable, "-c", SLOW], cwd=REPO, stdout=its, stderr=its, stdin=its, env=environment
    ) as process:
        os.close(its)
        said = b""
        while True:
            try:
                said += os.read(ours, 4096)
            except OSError:
                break
    os.close(ours)
    assert process.returncode == 0
    return said.decode()


def test_a_terminal_shows_the_step() -> None:
    said = run_on_terminal({})
    assert "C++ compiler: 3 of 12 files, 1 s, " in said and "s left" in said
    assert "\x1b[2K" in said.split("C++ compiler")[-1], "the line goes away"
    assert "verdict" in said


def test_no_colour_on_request() -> None:
    assert "\x1b[90m" in run_on_terminal({})
    plain = run_on_terminal({"NO_COLOR": "1"})
    assert "C++ compiler" in plain and "\x1b[90m" not in plain


def test_a_pipe_sees_nothing() -> None:
    result = subprocess.run(
        [sys.executable, "-c", SLOW], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("verdict\n", "")
