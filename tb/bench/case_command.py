"""Run one case as one types it: ``TEST=mha_batch2 [MLEN=.. SEQ=.. SIM=.. WAVES=1 ..]``; ``make sim``.

Leaves ``build/runs/<TEST>/``; exits 0 on PASS, 1 on FAIL, 2 when the case could not run.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from plena_ref.workloads.base import CaseError
from plena_ref.workloads.registry import CASES
from tb.bench import case_runner, options, waves
from tb.engine import simulate

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
    except (options.UsageError, CaseError, simulate.SimulatorMissing) as error:
        return options.fail(error)

    RUNS.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=RUNS))
    folder.chmod(0o755)
    try:
        outcome = case_runner.run_case(
            case, run.sim, latency=run.latency, jitter=run.jitter, waves=run.waves, folder=folder
        )
    except (CaseError, simulate.SimulationError) as error:
        print(f"the run's files are in {folder}", file=sys.stderr)
        return options.fail(error)
    if run.waves:
        waves.write_save_file(folder)
    _report(outcome, folder)
    place = RUNS / name
    _replace(folder, place)
    print(f"files: {os.path.relpath(place)}")
    return 0 if outcome.passed else 1


def _report(outcome: case_runner.CaseOutcome, folder: Path) -> None:
    """Print the outcome, and leave it in the folder for people and for programs."""
    text = io.StringIO()
    width = shutil.get_terminal_size((110, 24)).columns
    for console in (Console(width=max(width, 100)), Console(file=text, width=110)):
        outcome.print(console)
    (folder / "report.txt").write_text(text.getvalue())
    (folder / "result.json").write_text(json.dumps(outcome.to_json(), indent=2) + "\n")


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
    sys.exit(main(sys.argv[1:]))
