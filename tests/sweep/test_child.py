"""The process of a unit: no result on other sources leaves it, and it dies with whoever wanted the result."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tb.engine import simulate
from tb.sweep import checks, child, fingerprint, unit
from tb.sweep.fingerprint import Fingerprint
from tb.sweep.unit import Unit
from tests.sweep.plans import MATRIX, TEXT, good

CELL = MATRIX.cells[0]


def request(sources: Fingerprint, **more: Any) -> dict[str, Any]:
    return {"task": "run", "matrix": TEXT, **asdict(sources), "unit": asdict(Unit((CELL.name,))), **more}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source.py"
    file.write_text("before")
    return file


def test_results_on_the_plans_sources_leave_it(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit, "run", lambda _unit, matrix: [good(matrix.by_name[CELL.name])])
    answer = child.answer(request(fingerprint.take_of([str(source)])))
    assert answer == {"results": [asdict(good(CELL))]}


def test_an_edit_before_a_unit_is_refused(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit, "run", lambda *_: pytest.fail("it ran"))
    planned = fingerprint.take_of([str(source)])
    source.write_text("after")
    assert f"source {source} is " in child.answer(request(planned))["refused"]
    source.unlink()
    assert f"source {source} is missing" in child.answer(request(planned))["refused"]


@pytest.mark.parametrize("text", ["after", "before"])
def test_an_edit_during_a_unit_is_refused_even_when_it_is_undone(
    text: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_unit: Unit, _matrix: object) -> list[Any]:
        source.write_text("for a moment")
        source.write_text(text)
        return [good(CELL)]

    monkeypatch.setattr(unit, "run", run)
    answer = child.answer(request(fingerprint.take_of([str(source)])))
    assert answer == {"refused": "sources were written while the unit ran"}


def test_another_tool_is_refused(source: Path) -> None:
    planned = fingerprint.take_of([str(source)])
    other = replace(planned, tools={**planned.tools, "numpy": "0.1"})
    assert child.answer(request(other))["refused"].startswith("tool numpy is ")


def test_the_key_covers_every_source_and_tool() -> None:
    whole = Fingerprint({"a": "1", "b": "2"}, {"g++": "12"})
    others = [
        replace(whole, files={"a": "1", "b": "3"}),
        replace(whole, files={"a": "1"}),
        replace(whole, files={"a": "1", "c": "2"}),
        replace(whole, tools={"g++": "13"}),
    ]
    assert len({one.key for one in (whole, *others)}) == 5
    assert all(whole.difference(one) for one in others) and whole.difference(replace(whole)) is None


def test_the_fingerprint_names_what_runs_units() -> None:
    files = set(fingerprint.take().files)
    wanted = {
        "tb/sweep/unit.py",
        "tb/sweep/matrix.py",
        "tb/sweep/cell.py",
        "tb/sweep/cells.py",
        "tb/sweep/mutant.py",
        "tb/bench/utilisation.py",
        "tb/bench/plena_tb.sv",
        "tb/bench/job_runner.py",
        "tb/engine/main.cpp",
        "tb/bench/options.py",
        "tb/bench/case_command.py",
        "plena_ref/machine/accumulators.py",
        "rtl/plena_core.sv",
        "constraints.txt",
    }
    assert wanted <= files
    assert not {"tb/sweep/report.py", "tb/sweep/dispatch.py", "scripts/sweep.py"} & files, (
        "these change no result"
    )


CHILD = [sys.executable, "-m", "tb.sweep.child"]


def start(sent: dict[str, Any], **more: Any) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        CHILD,
        cwd=simulate.REPO,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        **more,
    )
    assert process.stdin
    process.stdin.write(json.dumps(sent).encode() + b"\n")
    process.stdin.flush()
    return process


def test_a_refusal_over_its_pipes() -> None:
    process = start(request(Fingerprint({"no/such.py": "1"}, {})))
    assert process.stdout and "no/such.py" in json.loads(process.stdout.readline())["refused"]
    assert process.wait(10) == 0


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_it_dies_with_whoever_wanted_the_result(how: str, tmp_path: Path) -> None:
    """A stand-in for the tree, whose unit starts a process of its own and sleeps."""
    package = tmp_path / "tb" / "sweep"
    package.mkdir(parents=True)
    (package / "matrix.py").write_text("def parse(text): return None\n")
    (package / "checks.py").write_text("")
    (package / "fingerprint.py").write_text((simulate.REPO / "tb/sweep/fingerprint.py").read_text())
    (package / "child.py").write_text((simulate.REPO / "tb/sweep/child.py").read_text())
    (package / "unit.py").write_text(
        "import subprocess, time\n"
        "class Unit:\n    from_json = staticmethod(lambda values: None)\n"
        "def run(unit, matrix):\n"
        "    grandchild = subprocess.Popen(['sleep', '100'])\n"
        "    open('started', 'w').write(str(grandchild.pid))\n"
        "    time.sleep(100)\n"
    )
    shutil.copytree(simulate.REPO / "tb" / "engine", tmp_path / "tb" / "engine")
    sent = request(Fingerprint({}, fingerprint.take_of([]).tools))
    outer = (
        "import subprocess, sys, time\n"
        f"process = subprocess.Popen({CHILD!r}, stdin=subprocess.PIPE, start_new_session=True)\n"
        f"process.stdin.write({json.dumps(sent).encode()!r} + b'\\n')\n"
        "process.stdin.flush()\n"
        "print(process.pid, flush=True)\n"
        "sys.stdin.read()\n"
        "process.stdin.close()\n"
        "time.sleep(100)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", outer], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert parent.stdin and parent.stdout
        unit_process = int(parent.stdout.readline())
        started = tmp_path / "started"
        wait_until(lambda: started.exists() and started.read_text())
        grandchild = int(started.read_text())
        assert alive(unit_process) and alive(grandchild)
        if how == "killed":
            parent.kill()
        else:
            parent.stdin.close()
        wait_until(lambda: not alive(unit_process) and not alive(grandchild))
    finally:
        parent.kill()
        parent.wait()


def alive(process: int) -> bool:
    """It runs, and is no zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(holds: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_a_host_is_checked(tmp_path: Path) -> None:
    """What it says of itself; SIM and X_SEED of the shell stay out of it."""
    environment = {**os.environ, "SIM": "none", "X_SEED": "bad", "PLENA_BUILD": str(tmp_path / "build")}
    first = start(request(fingerprint.take_of([]), task="check"), env=environment)
    about = read(first)
    assert about["kind"].startswith("verilator ") and about["holds"] == []
    again = read(start(request(fingerprint.take_of([]), task="check"), env=environment))
    assert again == about, "the cache keeps its name"


def read(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout
    answer = json.loads(process.stdout.readline())
    process.wait(10)
    return answer


def test_a_host_without_a_writable_disk_is_refused(tmp_path: Path) -> None:
    (tmp_path / "build").write_text("a file where a folder must be")
    environment = {**os.environ, "PLENA_BUILD": str(tmp_path / "build")}
    about = read(start(request(fingerprint.take_of([]), task="check"), env=environment))
    assert str(tmp_path / "build") in about["refused"]


@pytest.mark.parametrize(
    ("what", "value", "reason"),
    [
        ("DISK_BYTES", 1 << 60, "MiB free"),
        ("MEMORY_BYTES", 1 << 60, "MiB of memory are free"),
    ],
)
def test_a_host_with_too_little_of_something_is_refused(
    what: str, value: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, what, value)
    assert reason in checks.host(MATRIX)["refused"]


def test_a_host_without_a_simulator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise simulate.SimulatorMissing("simulator 'verilator' needs g++")

    monkeypatch.setattr(simulate, "find_tool", missing)
    assert checks.host(MATRIX) == {"refused": "simulator 'verilator' needs g++"}
