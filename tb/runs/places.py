"""Where runs lie: a folder for each set of options, and a link to the newest run of each case.

build/runs/by_options/<TEST>,<KEY>=<VALUE>,../   a run; the same options replace it
build/runs/<TEST>                                link to the newest run of the case
build/runs/<TEST>.unfinished/                    the last one that came to no verdict
build/runs/contents/                             memory images by content, shared by the runs
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

#: Name of the folder with a folder for each set of options.
BY_OPTIONS = "by_options"
#: What may stand in the name of a folder; anything else becomes an underscore.
_PLAIN = re.compile(r"[^A-Za-z0-9_.+=-]")
_LONGEST = 150


def label(test: str, options: Mapping[str, str]) -> str:
    """The name of the folder of a run: its case, and its options in the order of their keys.

    What a name cannot hold is replaced, and told apart by a hash.
    """
    exact = ",".join([test, *(f"{key}={value}" for key, value in sorted(options.items()))])
    plain = ",".join(_PLAIN.sub("_", part) for part in exact.split(","))
    if plain == exact and len(plain) <= _LONGEST:
        return plain
    return f"{plain[:_LONGEST]}~{hashlib.blake2b(exact.encode(), digest_size=4).hexdigest()}"


def folder(runs: Path, test: str, options: Mapping[str, str]) -> Path:
    """The folder of the run of a case with these options."""
    return runs / BY_OPTIONS / label(test, options)


def install(new: Path, place: Path) -> None:
    """Put folder `new` at `place`; a folder that is there already is removed."""
    place.parent.mkdir(parents=True, exist_ok=True)
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


def link(runs: Path, test: str, place: Path) -> None:
    """Make `runs/test` a link to `place`, the newest run of the case."""
    newest = runs / test
    if newest.is_dir() and not newest.is_symlink():
        shutil.rmtree(newest)
    with tempfile.TemporaryDirectory(prefix="scratch-link-", dir=runs) as beside:
        made = Path(beside) / test
        made.symlink_to(os.path.relpath(place, runs))
        made.replace(newest)
