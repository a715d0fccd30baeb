"""Run a build directory of PLENA's tools as one types it: ``BUILD=dir [SETTINGS=file OUT=dir SIM=.. ..]``.

Exits 0 when our verdict passes, 1 when it does not, 2 when the directory could not be run.
docs/plena_tools.md lists the options.
"""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from plena_ref.isa.csr import DRAIN_LIMIT_RESET
from plena_ref.machine.hardware import HardwareError
from tb.bench import options, program_runner, waves
from tb.engine import simulate
from tb.peer import build_report, build_run, dumps, shape, stage_profile
from tb.peer.build_run import BuildOutcome
from tb.peer.errors import PeerError

STATS, REPORT, PROFILE = "stats.json", "report.txt", "stage_profile.json"
_OPTIONS = (
    "BUILD",
    "SETTINGS",
    "OUT",
    "SIM",
    *options.RTL_OPTIONS,
)


@dataclass(frozen=True)
class Command:
    """A command line that was understood; the attributes are named after their keys."""

    build: Path
    settings: Path | None
    out: Path
    run: options.RunOptions
    seed: int
    watchdog: int
    drain_limit: int
    hardware: dict[str, int]


def _parse(arguments: list[str]) -> Command:
    """Read a command line.

    Raises:
        UsageError: it cannot be understood.
    """
    given = options.parse(arguments)
    if "BUILD" not in given:
        raise options.UsageError("BUILD= is missing")
    options.refuse_what_has_no_meaning(given)
    build = Path(given.pop("BUILD"))
    settings, out = given.pop("SETTINGS", None), given.pop("OUT", None)
    command = Command(
        build,
        None if settings is None else Path(settings),
        simulate.BUILD / "runs" / f"build-{build.resolve().name}" if out is None else Path(out),
        options.take_run_options(given),
        options.take_integer(given, "SEED", 1, 0, 2**32 - 1),
        options.take_integer(given, "WATCHDOG", 0, 0, 2**63),
        options.take_integer(given, "DRAIN_LIMIT", DRAIN_LIMIT_RESET, 0, 2**32 - 1),
        {
            name: options.take_integer(given, key, 0, 0, 2**40)
            for key, name in shape.OPTIONS.items()
            if key in given
        },
    )
    if given:
        known = ", ".join((*_OPTIONS, *shape.OPTIONS))
        raise options.UsageError(f"unknown option {next(iter(given))}; with BUILD there are {known}")
    return command


def main(arguments: list[str]) -> int:
    """Run the directory that the arguments describe and return the exit status."""
    try:
        command = _parse(arguments)
        dumps.remove(command.out, STATS, REPORT, PROFILE)
        build = build_run.read(command.build, command.settings, command.hardware)
        if command.run.sim != program_runner.REFERENCE:
            simulate.find_tool(command.run.sim)
        simulation = command.out / "simulation"
        outcome = build_run.run(
            build,
            command.run,
            seed=command.seed,
            watchdog=command.watchdog,
            drain_limit=command.drain_limit,
            folder=simulation if command.run.waves else None,
        )
        _leave_files(command, outcome)
    except OSError as error:
        return options.fail(f"{error.filename}: {error.strerror}")
    except (options.UsageError, PeerError, HardwareError, simulate.SimulationError, ValueError) as error:
        return options.fail(error)
    if command.run.waves and command.run.sim != program_runner.REFERENCE:
        waves.write_save_file(simulation)
    return 0 if outcome.ours.passed else 1


def _leave_files(command: Command, outcome: BuildOutcome) -> None:
    """Print the report; leave dumps, ``stats.json`` and ``report.txt``."""
    text = io.StringIO()
    width = max(shutil.get_terminal_size((110, 24)).columns, 100)
    for console in (Console(width=width), Console(file=text, width=110)):
        build_report.print_report(outcome, console)
    command.out.mkdir(parents=True, exist_ok=True)
    dumps.write(command.out, outcome.run.images, outcome.run.hbm_bytes)
    (command.out / STATS).write_text(json.dumps(build_report.to_json(outcome), indent=2) + "\n")
    (command.out / REPORT).write_text(text.getvalue())
    uses = build_report.stage_uses(outcome)
    if uses is not None:
        hw = outcome.build.program.shape.hardware
        profile = stage_profile.to_json(uses, hw, 1.0, len(outcome.build.program.words))
        (command.out / PROFILE).write_text(json.dumps(profile, indent=2) + "\n")
    print(f"dumps, {STATS} and {REPORT} in {command.out}")
