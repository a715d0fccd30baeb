"""Options of every command with values that nobody means: taken, or refused, with nothing written."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from plena_ref import __main__ as plena_module
from plena_ref import run_command
from plena_ref.isa.machine_code import write_program
from plena_ref.workloads.registry import CASES
from scripts import (
    bench,
    cycles,
    diff_runs,
    element_formats,
    explain,
    lint,
    list_cases,
    nightly,
    open_waves,
    pass_cycles,
    simulation_speed,
    site,
    synth,
)
from scripts import keys as keys_script
from tb.bench import (
    case_command,
    command,
    harness,
    keys,
    options,
    program_command,
    program_runner,
    replay_command,
)
from tb.chat import command as chat_command
from tb.engine import processes
from tb.peer import build_command, build_run, emulator, export, export_command
from tb.sweep import command as sweep_command
from tb.sweep import matrix
from tests.influences.rows import row

VALUES = ("0", "-1", "1", "7", str(2**70), "1.5", "text", "", " ")


class Accepted(BaseException):
    """The command would begin its work."""


def accept(*_: object, **__: object) -> None:
    """Stands in for the work of a command."""
    raise Accepted


@dataclass(frozen=True)
class Command:
    """A command that people type.

    Attributes:
        main: what runs it.
        base: arguments that it needs; {here} is the folder of the test.
        keys: its options, as they are written before their values.
        work: the functions that begin its work, each after its module.
    """

    main: Callable[[list[str]], int]
    base: tuple[str, ...]
    keys: tuple[str, ...]
    work: tuple[tuple[ModuleType, str], ...]


def typed(command: str) -> tuple[str, ...]:
    """The keys of a command of `make`, as they are typed."""
    return tuple(f"{name}=" for name in keys.names(command))


_CASE = "mha_batch2_sub64"
_FILES = ("--opcode={here}/p.mem", "--hbm={here}/empty", "--fpsram={here}/empty")
#: Of the keys of a case, which one function reads for all commands: `sim` tries all of them.
_SOME = ("TEST=", "SEQ=", "LOOP_DEPTH=")
#: Those of `make` under the names of the table of keys, and all others.
COMMANDS = {
    "sim": Command(
        case_command.main,
        (f"TEST={_CASE}",),
        typed("sim"),
        ((harness, "run"),),
    ),
    "run": Command(
        program_command.main,
        ("PROGRAM={here}/p.mem", "OUT={here}/out"),
        typed("run"),
        ((harness, "run"), (program_runner, "_on_reference")),
    ),
    "run BUILD=": Command(
        build_command.main,
        ("BUILD={here}/build", "OUT={here}/out"),
        typed("run BUILD="),
        ((build_run, "run"),),
    ),
    "export": Command(
        export_command.main,
        (f"TEST={_CASE}", "OUT={here}/out"),
        _SOME,
        ((export, "write_directory"),),
    ),
    "emulator": Command(
        emulator.main,
        _FILES,
        tuple(
            f"--{name}="
            for name in (
                *("hbm-size", "settings", "log-level", "clock-period-ns", "memory-latency", "element", "sim"),
                *("opcode", "hbm", "fpsram", "intsram", "vram", "stage-profile-asm", "stage-profile-out"),
            )
        ),
        ((harness, "run"), (emulator.model, "ready")),
    ),
    "chat": Command(chat_command.main, ("PROMPT=x",), typed("chat"), ((chat_command, "load"),)),
    "sweep": Command(
        sweep_command.main,
        (),
        typed("sweep"),
        ((sweep_command, "_run"), (sweep_command, "_sweep_litter")),
    ),
    "plena run": Command(
        plena_module.main,
        ("run", "{here}/p.mem", "--out={here}/out"),
        (*(f"{name}=" for name in options.HARDWARE), "--max-instructions=", "--vram=", "--hbm="),
        ((run_command, "Machine"),),
    ),
    "plena disassemble": Command(
        plena_module.main, ("disassemble",), ("--words=",), ((plena_module, "disassemble"),)
    ),
    "replay": Command(replay_command.main, (), typed("replay"), ()),
    "explain": Command(explain.main, (f"TEST={_CASE}",), _SOME, ((command, "show"),)),
    "diff": Command(diff_runs.main, ("A={here}", "B={here}"), typed("diff"), ()),
    "list": Command(list_cases.main, (), typed("list"), ((command, "show"),)),
    "keys": Command(keys_script.main, (), typed("keys"), ((command, "show"),)),
    "nightly": Command(nightly.main, (), typed("nightly"), ((processes, "run"),)),
    "waves": Command(open_waves.main, (), typed("waves"), ()),
    "bench": Command(bench.main, (), ("",), ((bench, "machine_figures"),)),
    "cycles": Command(cycles.main, (), ("",), ()),
    "docs": Command(site.main, (), ("",), ()),
    "synth": Command(synth.main, (), ("",), ()),
    "lint": Command(lint.main, (), ("",), ((processes, "captured"),)),
    "element_formats": Command(
        element_formats.main, (), ("MODEL=",), ((element_formats, "_normal"), (element_formats, "load"))
    ),
    "simulation_speed": Command(
        simulation_speed.main, (), ("COMMIT=", "ROUNDS="), ((simulation_speed, "measure"),)
    ),
    "pass_cycles": Command(
        pass_cycles.main, (), ("ROWS=", "POSITION=", "MODEL="), ((pass_cycles, "run_pass"),)
    ),
}


def test_every_command_of_make_is_tried() -> None:
    # What follows `make test` is handed to pytest as it is.
    assert set(keys.COMMANDS) - {"test"} <= set(COMMANDS)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program, an empty image and a build directory."""
    folder = tmp_path_factory.mktemp("here")
    write_program(folder / "p.mem", [0x34])
    (folder / "empty").touch()
    export.write_directory(CASES[_CASE], folder / "build")
    return folder


@row(
    "Options",
    "any option of any command that is 0, negative, huge, no number, a word, or empty",
    "taken where it has a meaning; else one `error:` line, exit status 2, nothing written",
)
@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", COMMANDS)
def test_values_that_nobody_means(
    name: str, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = COMMANDS[name]
    for module, function in chosen.work:
        monkeypatch.setattr(module, function, accept)
    monkeypatch.setattr(case_command, "RUNS", tmp_path)
    monkeypatch.chdir(tmp_path)
    before = sorted(here.rglob("*"))
    refused: Counter[str] = Counter()
    monkeypatch.setattr(matrix, "load", functools.cache(matrix.load))
    for key in (*chosen.keys, "NONE=x"):
        for value in VALUES:
            base = [word.format(here=here) for word in chosen.base if not word.startswith(key or "-")]
            try:
                status = command.run(chosen.main, [*base, f"{key}{value}"])
            except SystemExit as end:
                status = int(end.code or 0)
            except Accepted:
                status = None
            error = capsys.readouterr().err
            if status is not None:
                last = error.splitlines()[-1] if error else ""
                assert (status, last[:7], error.count("\n")) == (2, "error: ", 1), (key, value, error)
                refused[key] += 1
            assert list(tmp_path.iterdir()) == [] and sorted(here.rglob("*")) == before, (key, value)
    assert refused["NONE=x"] == len(VALUES) and len(refused) > len(chosen.keys) / 2, refused
