"""Write a case as a build directory as one types it: ``TEST=name OUT=dir [KEY=VALUE ...]``."""

from __future__ import annotations

from pathlib import Path

from plena_ref.workloads.base import CaseError
from plena_ref.workloads.registry import CASES
from tb.bench import options, output_folder
from tb.peer import export


def main(arguments: list[str]) -> int:
    """Write the case that the arguments describe and return the exit status."""
    try:
        given = options.parse(arguments)
        for needed in ("TEST", "OUT"):
            if needed not in given:
                raise options.UsageError(f"{needed}= is missing")
        name, folder = given.pop("TEST"), Path(given.pop("OUT"))
        if name not in CASES:
            raise options.UsageError(f"TEST={name} is unknown; there are {', '.join(CASES)}")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise options.UsageError(f"OUT={folder} is there and not an empty folder")
        with output_folder.staged(folder, ()) as made:
            export.write_directory(CASES[name].override(**given), made)
    except (options.UsageError, output_folder.OutputError, CaseError) as error:
        return options.fail(error)
    print(f"{name} in {folder}")
    return 0
