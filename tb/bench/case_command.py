"""Run one case as one types it: ``TEST=mha_batch2 [MLEN=.. SEQ=.. SIM=.. WAVES=1 ..]``; ``make sim``.

Leaves ``build/runs/<TEST>/``, or ``<TEST>.unfinished/`` when there is no verdict; exits 0 on PASS, 1 on FAIL,
2 when the case could not run.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
from pathlib import Path

from rich.console import Console

from plena_ref.workloads.base import CaseError
from plena_ref.workloads.registry import CASES
from tb.bench import case_runner, command, options, waves
from tb.engine import scratch, simulate

#: Where runs leave their files, one folder a case.
RUNS = simulate.BUILD / "runs"


def main(arguments: list[str]) -> int:
    """Run the case that the arguments describe and return the exit status."""
    try:
        given = options.parse(arguments)
        name = given.pop("TEST", "mha_batch2")
        run = options.take_run_options(given)
        if name not in CASES:
            return options.fail(f"TEST={name} is unknown; there are {', '.join(CASES)}")
        case = CASES[name].override(**given)
        simulate.find_tool(run.sim)
    except (options.UsageError, CaseError, simulate.SimulationError) as error:
        return options.fail(error)

    place = RUNS / name
    with scratch.folder(RUNS, name) as folder:
        try:
            outcome = case_runner.run_case(
                case,
                run.sim,
                latency=run.latency,
                jitter=run.jitter,
                waves=run.waves,
                folder=folder,
                x_seed=run.x_seed,
                timeout=run.sim_timeout,
            )
            if run.waves:
                waves.write_save_file(folder)
        except (CaseError, simulate.SimulationError) as error:
            return options.fail(_salvaged(folder, place, str(error)))
        except KeyboardInterrupt:
            _salvaged(folder, place, "")
            raise
        _leave_report(outcome, folder)
        _replace(folder, place)
    command.show(outcome.print, max(shutil.get_terminal_size((110, 24)).columns, 100))
    command.show(lambda console: console.print(f"files: {os.path.relpath(place)}", markup=False), 10_000)
    return 0 if outcome.passed else 1


def _leave_report(outcome: case_runner.CaseOutcome, folder: Path) -> None:
    """Leave the outcome in the folder for people and for programs."""
    text = io.StringIO()
    outcome.print(Console(file=text, width=110))
    (folder / "report.txt").write_text(text.getvalue(), encoding="utf-8")
    (folder / "result.json").write_text(json.dumps(outcome.to_json(), indent=2) + "\n")


def _salvaged(folder: Path, place: Path, message: str) -> str:
    """Keep the files of a run without a verdict beside its place; the message, with their new names."""
    if not any(folder.iterdir()):
        return message
    kept = place.with_name(f"{place.name}.unfinished")
    _replace(folder, kept)
    return message.replace(str(folder), os.path.relpath(kept))


def _replace(new: Path, place: Path) -> None:
    """Put folder ``new`` at ``place``; a folder that is there already is removed."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            place.rename(new.with_name(f"{new.name}.old"))
        shutil.rmtree(new.with_name(f"{new.name}.old"), ignore_errors=True)
        try:
            new.rename(place)
            return
        except OSError:
            if not place.exists():
                raise


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
