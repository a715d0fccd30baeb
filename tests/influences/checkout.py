"""A checkout to call `make` in: the Makefile and links to everything else, Python's environment included."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

REPO = Path(__file__).parents[2]


def lay_out(place: Path) -> Path:
    """Make the checkout in a folder; the folder."""
    place.mkdir(parents=True)
    (place / "Makefile").write_bytes((REPO / "Makefile").read_bytes())
    for name in ("plena_ref", "tb", "scripts", "rtl", "constraints.txt"):
        (place / name).symlink_to(REPO / name)
    (place / ".venv").symlink_to(sys.prefix)
    return place


def make(
    checkout: Path, *arguments: str, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Call `make -f` of a checkout in a folder (None: in the checkout itself)."""
    file = [] if folder is None else ["-f", str(checkout / "Makefile")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "--no-print-directory", *file, *arguments],
        cwd=folder or checkout,
        env={**kept, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
