"""Results on disk, one file each, named by the content of what was run: the item and the sources it ran on.

So a sweep resumes where it stopped, and nothing that was measured on other sources is ever reported.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from tb.engine import simulate
from tb.mutants.table import Mutant
from tb.sweep.matrix import Cell
from tb.sweep.unit import Result, read_result

#: Everything that a result depends on; folders stand for the files in them.
SOURCES = ("rtl", "plena_ref", "requirements.txt", "scripts/run_case.py", "tb/bench/axi_checker.sv")
SOURCES += ("tb/bench/axi_memory.sv", "tb/bench/case_runner.py", "tb/bench/harness.py")
SOURCES += ("tb/bench/images.py", "tb/bench/job_runner.py", "tb/bench/utilisation.py", "tb/sweep/matrix.py")
SOURCES += ("tb/sweep/unit.py", "scripts/options.py")
SOURCES += ("tb/engine/main.cpp", "tb/mutants/trial.py", "tb/bench/plena_tb.sv", "tb/engine/simulate.py")
SOURCES += ("tb/sweep/cell.py", "tb/sweep/mutant.py")


@functools.cache
def sources_hash(root: Path = simulate.REPO) -> str:
    """Sixteen hexadecimal digits of the text of all `SOURCES`."""
    digest = hashlib.sha256()
    for source in SOURCES:
        path = root / source
        files = sorted(path.rglob("*.sv")) + sorted(path.rglob("*.py")) if path.is_dir() else [path]
        for file in files:
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


class Store:
    """The results of items, which are cells and mutants, as they were on the present sources.

    Args:
        folder: where the files lie; made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, item: Cell | Mutant) -> Path:
        """The file of an item: its name says nothing but what was run, and on what."""
        content = json.dumps([type(item).__name__, asdict(item), sources_hash()], sort_keys=True)
        return self.folder / f"{hashlib.sha256(content.encode()).hexdigest()[:24]}.json"

    def read(self, item: Cell | Mutant) -> Result | None:
        """The result of an item, or None if it has none yet."""
        try:
            return read_result(json.loads(self.path(item).read_text()))
        except FileNotFoundError:
            return None

    def done(self, item: Cell | Mutant) -> bool:
        """The item has a result, and not only the message that it could not be run."""
        result = self.read(item)
        return result is not None and result.error is None

    def forget(self, item: Cell | Mutant) -> None:
        """Remove the result of an item, if there is one."""
        self.path(item).unlink(missing_ok=True)

    def write(self, item: Cell | Mutant, result: Result) -> None:
        """Keep the result of an item; whoever reads at the same time sees the old file or the new one."""
        path = self.path(item)
        scratch = path.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(asdict(result)))
        scratch.replace(path)
