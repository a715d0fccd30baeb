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

from plena_ref.verdict.tolerance import Tolerance
from tb.bench import command, keys, options, output_folder, program_options, waves
from tb.bench.program_options import ProgramOptions
from tb.engine import simulate
from tb.peer import build_report, build_run, dumps, stage_profile, verdict
from tb.peer.build_run import BuildOutcome

STATS, REPORT, PROFILE = "stats.json", "report.txt", "stage_profile.json"
_LEFT = (*dumps.NAMES.values(), STATS, REPORT, PROFILE)
_SIMULATION = "simulation"


@dataclass(frozen=True)
class Request:
    """A command line that was understood; the attributes are named after their keys."""

    build: Path
    settings: Path | None
    out: Path
    how: ProgramOptions
    hardware: dict[str, int | str]
    tolerance: Tolerance


def _places(given: dict[str, str]) -> tuple[Path, Path]:
    """Remove BUILD and OUT and return them.

    Raises:
        UsageError: BUILD is missing.
    """
    if "BUILD" not in given:
        raise options.UsageError("BUILD= is missing")
    build, out = Path(given.pop("BUILD")), given.pop("OUT", None)
    usual = simulate.BUILD / "runs" / f"build-{build.resolve().name}"
    return build, usual if out is None else Path(out)


def _tolerance(given: dict[str, str]) -> Tolerance:
    """Remove TOLERANCE and return what it names.

    Raises:
        UsageError: there is no such tolerance.
    """
    name = given.pop("TOLERANCE", next(iter(verdict.TOLERANCES)))
    if name not in verdict.TOLERANCES:
        raise options.UsageError(f"TOLERANCE={name} is unknown; there are {', '.join(verdict.TOLERANCES)}")
    return verdict.TOLERANCES[name]


def _parse(given: dict[str, str], build: Path, out: Path) -> Request:
    """Read a command line, without BUILD and OUT.

    Raises:
        UsageError: it cannot be understood.
    """
    keys.check("run BUILD=", given)
    settings = given.pop("SETTINGS", None)
    return Request(
        build,
        None if settings is None else Path(settings),
        out,
        program_options.take(given),
        options.take_hardware(given),
        _tolerance(given),
    )


def main(arguments: list[str]) -> int:
    """Run the directory that the arguments describe and return the exit status."""
    return command.attempted(_main, arguments)


def _main(arguments: list[str]) -> int:
    given = options.parse(arguments)
    places = _places(given)
    dumps.remove(places[1], STATS, REPORT, PROFILE)
    request = _parse(given, *places)
    build = build_run.read(request.build, request.settings, request.hardware, request.tolerance)
    run = request.how.run
    if run.sim != options.REFERENCE:
        simulate.find_tool(run.sim)
    with output_folder.staged(request.out, _LEFT, _SIMULATION) as folder:
        outcome = build_run.run(build, request.how, folder / _SIMULATION if run.waves else None)
        _leave_files(folder, outcome)
        if run.waves:
            waves.write_save_file(folder / _SIMULATION)
    width = max(shutil.get_terminal_size((110, 24)).columns, 100)
    command.show(lambda console: build_report.print_report(outcome, console), width)
    print(f"dumps, {STATS} and {REPORT} in {request.out}")
    return 0 if outcome.ours.passed else 1


def _leave_files(folder: Path, outcome: BuildOutcome) -> None:
    """Leave dumps, ``stats.json``, ``report.txt`` and the profile by stage."""
    text = io.StringIO()
    build_report.print_report(outcome, Console(file=text, width=110))
    dumps.write(folder, outcome.run.images, outcome.run.hbm_bytes)
    (folder / STATS).write_text(json.dumps(build_report.to_json(outcome), indent=2) + "\n")
    (folder / REPORT).write_text(text.getvalue())
    uses = build_report.stage_uses(outcome)
    if uses is not None:
        hw = outcome.build.program.shape.hardware
        profile = stage_profile.to_json(uses, hw, 1.0, len(outcome.build.program.words))
        (folder / PROFILE).write_text(json.dumps(profile, indent=2) + "\n")
