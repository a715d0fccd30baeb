"""Run one case as one types it: ``TEST=mha_batch2 [MLEN=.. SEQ=.. SIM=.. WAVES=1 ..]``; ``make sim``.

Leaves a folder for each set of options (tb/runs/places.py) and a link to the newest, ``build/runs/<TEST>``;
or ``<TEST>.unfinished/`` when there is no verdict. Exits 0 on PASS, 1 on FAIL, 2 when the case could not run.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from plena_ref.workloads.base import CaseError
from tb.bench import (
    assembly,
    case_choice,
    case_runner,
    command,
    diagnose,
    options,
    run_files,
    timeline,
    wave_places,
    waves,
)
from tb.engine import scratch, simulate
from tb.runs import kept, places

#: Where runs leave their files.
RUNS = simulate.BUILD / "runs"
#: Keys that say nothing about the run itself: its folder is not named after them.
_NOT_OPTIONS = ("TEST", "KEEP")


def main(arguments: list[str]) -> int:
    """Run the case that the arguments describe and return the exit status."""
    try:
        typed = options.parse(arguments)
        case_choice.check("sim", typed)
        given = dict(typed)
        keep = options.take_integer(given, "KEEP", kept.KEEP, 1, 10**6)
        traced = bool(options.take_integer(given, "TRACE", 0, 0, 1))
        asm = given.pop("ASM", None)
        program = assembly.read(asm) if asm is not None else None
        name, case, run = case_choice.asked(given)
        run = dataclasses.replace(run, waves=run.waves or traced)
        if traced and (run.waves_from or run.waves_to):
            raise options.UsageError(
                "TRACE=1 needs the waves of a whole run, without WAVES_FROM and WAVES_TO"
            )
        simulate.find_tool(run.sim)
    except (options.UsageError, CaseError, simulate.SimulationError) as error:
        return options.fail(error)

    asked = run_files.Asked(" ".join(["make sim", f"TEST={name}", *_pairs(typed)]), run)
    place = places.folder(RUNS, name, {key: value for key, value in typed.items() if key not in _NOT_OPTIONS})
    with scratch.folder(RUNS, name) as folder:
        try:
            outcome = case_runner.run_case(case, run, folder=folder, trace=True, assembly=program)
        except (CaseError, simulate.SimulationError, wave_places.WavePlaceError) as error:
            return options.fail(_salvaged(folder, RUNS / name, str(error)))
        except KeyboardInterrupt:
            _salvaged(folder, RUNS / name, "")
            raise
        if not outcome.passed:
            outcome = dataclasses.replace(outcome, account=diagnose.diagnose(outcome.ran, run))
        run_files.leave(folder, RUNS, asked, outcome)
        if run.waves:
            waves.write_save_file(folder)
        if traced:
            timeline.write(folder, case.hardware)
        places.install(folder, place)
    places.link(RUNS, name, place)
    kept.sweep(RUNS, place, keep)
    command.show(outcome.print, max(shutil.get_terminal_size((110, 24)).columns, 100))
    command.show(lambda console: console.print(f"files: {os.path.relpath(place)}", markup=False), 10_000)
    return 0 if outcome.passed else 1


def _pairs(typed: Mapping[str, str]) -> list[str]:
    """What was typed beside the case, each as one word of a shell."""
    return [shlex.quote(f"{key}={value}") for key, value in typed.items() if key != "TEST"]


def _salvaged(folder: Path, place: Path, message: str) -> str:
    """Keep the files of a run without a verdict beside its place; the message, with their new names."""
    if not any(folder.iterdir()):
        return message
    unfinished = place.with_name(f"{place.name}.unfinished")
    places.install(folder, unfinished)
    return message.replace(str(folder), os.path.relpath(unfinished))


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
