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
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.case import Case
from plena_ref.workloads.registry import CASES
from scripts import bench, cycles, element_formats, lint, nightly, open_waves, pass_cycles, site, synth
from tb.bench import case_command, command, harness, options, program_command, program_runner
from tb.chat import command as chat_command
from tb.chat import settings as chat_settings
from tb.engine import processes
from tb.peer import build_command, build_run, emulator, export, export_command
from tb.sweep import choice, matrix
from tb.sweep import command as sweep_command
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


def overrides_of(case: Case) -> tuple[str, ...]:
    """The keys that a case knows, from its complaint about another."""
    try:
        case.override(NONE="1")
    except CaseError as error:
        return tuple(str(error).rpartition("there are ")[2].split(", "))
    raise AssertionError("NONE is no override")


def _keys(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}=" for name in dict.fromkeys(names))


_RUN = ("SIM", "UNWRITTEN", *options.RTL_OPTIONS, *options.REFERENCE_OPTIONS, *options.HARDWARE)
_CASE = "mha_batch2_sub64"
_FILES = ("--opcode={here}/p.mem", "--hbm={here}/empty", "--fpsram={here}/empty")
COMMANDS = {
    "sim": Command(
        case_command.main,
        (f"TEST={_CASE}",),
        _keys(*overrides_of(CASES[_CASE]), *options.RUN_OPTIONS),
        ((harness, "run"),),
    ),
    "run": Command(
        program_command.main,
        ("PROGRAM={here}/p.mem", "OUT={here}/out"),
        _keys(*program_runner.IMAGE_OPTIONS, *_RUN),
        ((harness, "run"), (program_runner, "_on_reference")),
    ),
    "run BUILD": Command(
        build_command.main,
        ("BUILD={here}/build", "OUT={here}/out"),
        _keys("SETTINGS", "TOLERANCE", *_RUN),
        ((build_run, "run"),),
    ),
    "export": Command(
        export_command.main,
        (f"TEST={_CASE}", "OUT={here}/out"),
        _keys(*overrides_of(CASES[_CASE])),
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
    "chat": Command(
        chat_command.main, ("PROMPT=x",), _keys("PROMPTS", *chat_settings.KEYS), ((chat_command, "load"),)
    ),
    "sweep": Command(
        sweep_command.main,
        (),
        _keys(*choice.KEYS, *(axis.upper() for axis in choice.AXES)),
        ((sweep_command, "_run"), (sweep_command, "_sweep_litter")),
    ),
    "plena run": Command(
        plena_module.main,
        ("run", "{here}/p.mem", "--out={here}/out"),
        (*_keys(*options.HARDWARE), *(f"--{name}=" for name in ("max-instructions", "vram", "hbm"))),
        ((run_command, "Machine"),),
    ),
    "plena disassemble": Command(
        plena_module.main, ("disassemble",), ("--words=",), ((plena_module, "disassemble"),)
    ),
    "nightly": Command(nightly.main, (), _keys("SEEDS", "SIMS"), ((processes, "run"),)),
    "waves": Command(open_waves.main, (), _keys("TEST"), ()),
    "bench": Command(bench.main, (), ("",), ((bench, "machine_figures"),)),
    "cycles": Command(cycles.main, (), ("",), ()),
    "docs": Command(site.main, (), ("",), ()),
    "synth": Command(synth.main, (), ("",), ()),
    "lint": Command(lint.main, (), ("",), ((processes, "captured"),)),
    "element_formats": Command(
        element_formats.main, (), _keys("MODEL"), ((element_formats, "_normal"), (element_formats, "load"))
    ),
    "pass_cycles": Command(
        pass_cycles.main, (), _keys("ROWS", "POSITION", "MODEL"), ((pass_cycles, "run_pass"),)
    ),
}


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
