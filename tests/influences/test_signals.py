"""Signals, and parents that are killed: nothing is left running, nothing is left lying about."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pywellen

from plena_ref.isa.assembler import assemble
from plena_ref.isa.machine_code import write_program
from tb.bench import case_command, case_runner
from tb.engine import scratch, simulate, tools
from tests.influences.checkout import REPO
from tests.influences.rows import row

_SIGNALS = "Signals and litter"
#: A program that runs for years.
_ENDLESS = """
C_LOOP_START gp1, 4000000
C_LOOP_START gp2, 4000000
S_ADDI_INT gp3, gp3, 1
C_LOOP_END gp2
C_LOOP_END gp1
"""
#: Machines whose models other tests build too: tb/system/test_run_program.py, and with waves test_waves.py.
_USUAL = ["MLEN=16", "BLEN=4", "HLEN=8", "VRAM_ELEMS=4096", "MSRAM_TILES=4", f"HBM_BYTES={1 << 16}"]
_SMALL = ["MLEN=8", "BLEN=4", "VRAM_ELEMS=1024", "MSRAM_TILES=2", "FP_WORDS=64", "INT_WORDS=64"]


def waited_for(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether something becomes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """What a test starts hears signals, also where nohup or a background job has the tests ignore them."""
    ignored = [one for one in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_IGN]
    for one in ignored:
        signal.signal(one, signal.SIG_DFL)
    yield
    for one in ignored:
        signal.signal(one, signal.SIG_IGN)


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a run of a program that does not stop, and waits until it is being simulated."""
    started = []
    write_program(tmp_path / "p.mem", assemble(_ENDLESS))
    out = tmp_path / "out"

    def start(*options: str) -> subprocess.Popen[str]:
        line = [sys.executable, "-m", "scripts.run_program", f"PROGRAM={tmp_path / 'p.mem'}", f"OUT={out}"]
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        process = subprocess.Popen(
            [*line, *(_SMALL if "WAVES=1" in options else _USUAL), *options],
            cwd=REPO,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        if "WAVES=1" in options:  # some cycles are to be in them
            assert waited_for(lambda: simulating(process, 150), 300)
        else:
            assert waited_for(lambda: any(out.rglob("job0/trace.out")) or simulating(process, 40), 300)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def children(pid: int) -> list[int]:
    """Processes that a process started, and theirs."""
    try:
        texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    found = [int(word) for text in texts for word in text.split()]
    return found + [child for one in found for child in children(one)]


def simulating(process: subprocess.Popen[str], least: int) -> bool:
    """Whether a model, or vvp, has run for that many ticks of 10 ms below a process."""
    for pid in children(process.pid):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
            ticks = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11])
        except OSError:
            continue
        if (b"/model\0" in line or b"vvp" in line) and b"guard.py" not in line and ticks > least:
            return True
    return False


def commanded(pid: int) -> bool:
    """Whether a process is a command of ours that has begun to look after signals."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = int(status.split("SigCgt:")[1].split()[0], 16)
    return b"\0scripts." in line and bool(caught >> (signal.SIGTERM - 1) & 1)


def alive(pids: list[int]) -> list[int]:
    """Those that still run."""
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        found += [pid] if state != "Z" else []
    return found


def all_end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """A signal ends a process, and then all that it had started."""
    below = children(process.pid)
    process.send_signal(number)
    process.wait(20)
    assert waited_for(lambda: not alive(below), 10)


@row(
    _SIGNALS,
    "Ctrl-C, SIGTERM or SIGHUP during a simulation",
    "the simulator ends too; one `error:` line, status 128 and the number of the signal, no scratch left",
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals(number: signal.Signals, endless, tmp_path: Path) -> None:
    process = endless()
    below = children(process.pid)
    assert below
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (128 + number, f"error: interrupted by {number.name}\n")
    assert waited_for(lambda: not alive(below), 5)
    assert not (tmp_path / "out").exists()


@row(_SIGNALS, "a command that is killed (SIGKILL)", "its simulator is killed within a moment")
def test_a_killed_command(endless) -> None:
    process = endless()
    below = children(process.pid)
    process.kill()
    process.wait()
    assert waited_for(lambda: not alive(below), 5)


@row(_SIGNALS, "`make` itself is ended (SIGTERM) or killed (SIGKILL)", "what it started is told to end")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_make_that_ends(number: signal.Signals, checkout: Path, tmp_path: Path) -> None:
    write_program(tmp_path / "p.mem", assemble(_ENDLESS))
    line = ["make", "run", f"PROGRAM={tmp_path / 'p.mem'}", f"OUT={tmp_path / 'out'}", "SIM=reference"]
    make = subprocess.Popen(line, cwd=checkout, stderr=subprocess.DEVNULL)
    try:
        assert waited_for(lambda: any(commanded(pid) for pid in children(make.pid)))
        all_end(make, number)
    finally:
        make.kill()


@row(_SIGNALS, "a signal during a simulation with `WAVES=1`", "the waves so far are kept and can be read")
@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_waves_of_an_interrupted_simulation(simulator: str, endless, tmp_path: Path) -> None:
    simulate.require(simulator)
    process = endless("WAVES=1", f"SIM={simulator}")
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (128 + signal.SIGTERM, "error: interrupted by SIGTERM\n")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["simulation"]
    waves = pywellen.Waveform(str(tmp_path / "out" / "simulation" / "dump.fst"))
    (clock,) = (one for one in waves.all_vars() if one.full_name == "plena_tb.clk")
    assert len(list(clock.tv)) > 100


@row(_SIGNALS, "a signal, or a kill, while compilers run", "all that make and the compilers started ends too")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_compilers(number: signal.Signals, tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\nfrom tb.engine import interruption, tools\n"
        "with interruption.handled():\n"
        "    command = ['sh', '-c', 'sleep 987 & sleep 987; true']\n"
        "    tools.execute(command, 'x', {}, pathlib.Path(sys.argv[1]))\n"
    )
    line = [sys.executable, "-c", script, str(tmp_path)]
    process = subprocess.Popen(line, cwd=REPO, stderr=subprocess.DEVNULL)
    try:
        assert waited_for(lambda: len(children(process.pid)) >= 4, 20), children(process.pid)
        all_end(process, number)
    finally:
        process.kill()


@row(
    _SIGNALS,
    "a run that fails before its first file, or after",
    "leaves no hidden folder: `build/runs/<TEST>.unfinished` if there is anything to see, and says so",
)
@pytest.mark.parametrize("late", [False, True])
def test_a_run_that_fails(late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(case_command, "RUNS", tmp_path)

    def failing(*arguments: object, folder: Path, **options: object) -> None:
        if late:
            (folder / "simulation.log").write_text("what it said")
        raise tools.SimulationError(f"ended (log: {folder / 'simulation.log'})\nwhat it said")

    monkeypatch.setattr(case_runner, "run_case", failing)
    monkeypatch.chdir(tmp_path)
    assert case_command.main(["TEST=mha_batch2"]) == 2
    kept = ["mha_batch2.unfinished"] if late else []
    assert [path.name for path in tmp_path.iterdir()] == kept
    if late:
        expected = "what it said\nerror: ended (log: mha_batch2.unfinished/simulation.log)\n"
        assert capsys.readouterr().err == expected


@row(_SIGNALS, "scratch folders of killed processes", "are removed by the next run; what is in use stays")
def test_old_scratch_is_swept(tmp_path: Path) -> None:
    old = tmp_path / "scratch-old-abc"
    old.mkdir()
    (old / "file").write_text("")
    os.utime(old, (0, 0))
    (tmp_path / "scratch-young-abc").mkdir()
    with scratch.folder(tmp_path, "mine") as mine:
        os.utime(mine, (0, 0))
        assert scratch.sweep(tmp_path) == []
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine.name, "scratch-young-abc"])
    assert [path.name for path in tmp_path.iterdir()] == ["scratch-young-abc"]
