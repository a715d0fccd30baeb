"""Open the waves of a case, or say where they are: ``python -m scripts.open_waves TEST=.. [AT=pc:131]``.

AT is a place: cycle:700, pc:131 (its first pass), stage:batches, or wrong, the first wrong instruction.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tb.bench import case_choice, command, keys, options, wave_markers, wave_places, waves
from tb.engine import simulate


def main(arguments: list[str]) -> int:
    """Open the save file of the case's last run and return the exit status."""
    given = keys.given("waves", arguments)
    name = case_choice.named(given)
    folder = simulate.BUILD / "runs" / name
    if not (folder / waves.SAVE_FILE).exists():
        return options.fail(f"no waves in {folder}: run `make sim TEST={name} WAVES=1` first")
    if "AT" in given:
        try:
            cycle = wave_markers.cycle_of(folder, given["AT"])
            first, last = waves.held(folder)
            if not first <= cycle <= last:
                return options.fail(f"AT={given['AT']}: the waves hold the cycles {first} to {last}")
            waves.write_save_file(folder, cycle)
        except wave_places.WavePlaceError as error:
            return options.fail(error)
    viewer = shutil.which("gtkwave")
    if viewer is None or not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        why = "gtkwave is not installed" if viewer is None else "there is no display"
        print(f"{why}; the waves are {folder / waves.WAVE_FILE}")
        print(f"open them with: cd {folder} && gtkwave {waves.SAVE_FILE}")
        return 0
    # The paths in the save file are relative to its folder.
    return subprocess.run([viewer, waves.SAVE_FILE], cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
