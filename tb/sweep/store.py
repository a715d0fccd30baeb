"""Results on disk, one file each, named by the content of what was run: the item and the sources it ran on.

So a sweep resumes where it stopped, and nothing that was measured on other sources is ever reported. A file
that holds no such result counts as absent, with a line that names it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import get_type_hints, overload

from tb.mutants.table import Mutant
from tb.sweep import litter
from tb.sweep.cell import CellResult
from tb.sweep.matrix import Cell
from tb.sweep.mutant import MutantResult
from tb.sweep.unit import Result

#: Number of the form of the files.
SCHEMA = 3
#: How values of the results' attributes look in JSON, by annotation.
_FORMS: dict[object, Callable[[object], bool]] = {
    str: lambda value: isinstance(value, str),
    bool: lambda value: isinstance(value, bool),
    int: lambda value: isinstance(value, int) and not isinstance(value, bool),
    float: lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    str | None: lambda value: value is None or isinstance(value, str),
    tuple[str, ...]: lambda value: isinstance(value, list) and all(isinstance(part, str) for part in value),
    Mapping[str, float]: lambda value: (
        isinstance(value, dict) and all(isinstance(part, int | float) for part in value.values())
    ),
}


class FormError(ValueError):
    """Values that are no result; the message says why."""


class Store:
    """The results of items, which are cells and mutants, as they were on some sources.

    Args:
        folder: where the files lie; made when it is missing.
        key: names the sources and tools.
        warn: told a line about every file that holds no result.
    """

    def __init__(self, folder: Path, key: str, warn: Callable[[str], None] = lambda line: None) -> None:
        self.folder = folder
        self.key = key
        self._warn = warn
        self._warned: set[Path] = set()
        self._paths: dict[str, tuple[Cell | Mutant, Path]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, item: Cell | Mutant) -> Path:
        """The file of an item: its name says nothing but what was run, and on what."""
        known, path = self._paths.get(item.name, (None, self.folder))
        if known is not item:
            content = json.dumps([type(item).__name__, asdict(item), self.key], sort_keys=True)
            path = self.folder / f"{hashlib.sha256(content.encode()).hexdigest()[:24]}.json"
            self._paths[item.name] = item, path
        return path

    @overload
    def read(self, item: Cell) -> CellResult | None: ...

    @overload
    def read(self, item: Mutant) -> MutantResult | None: ...

    @overload
    def read(self, item: Cell | Mutant) -> Result | None: ...

    def read(self, item: Cell | Mutant) -> Result | None:
        """The result of an item, or None if it has none yet."""
        path = self.path(item)
        try:
            kept = json.loads(path.read_text())
            if not isinstance(kept, dict) or kept.get("schema") != SCHEMA:
                raise FormError("another form of result")
            result = decode(kept.get("result"))
            if result.name != item.name:
                raise FormError(f"a result of {result.name}")
            return result
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            if path not in self._warned:
                self._warned.add(path)
                reason = error if isinstance(error, FormError | OSError) else "no JSON"
                self._warn(f"{path} counts as absent: {reason}")
            return None

    def done(self, item: Cell | Mutant) -> bool:
        """The item has a result, and not only the message that it could not be run."""
        result = self.read(item)
        return result is not None and result.error is None

    def forget(self, item: Cell | Mutant) -> None:
        """Remove the result of an item, or whatever lies in its place."""
        path = self.path(item)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)

    def write(self, item: Cell | Mutant, result: Result) -> None:
        """Keep the result of an item; whoever reads at the same time sees the old file or the new one."""
        path = self.path(item)
        scratch = path.with_name(f"{litter.prefix()}{path.name}")
        scratch.write_text(json.dumps({"schema": SCHEMA, "result": asdict(result)}))
        if path.is_dir():
            self.forget(item)
        scratch.replace(path)


def decode(values: object) -> Result:
    """A result from what `dataclasses.asdict` and JSON made of it.

    Raises:
        FormError: an attribute is missing, unknown, or of another type.
    """
    if not isinstance(values, dict):
        raise FormError("no result")
    form = MutantResult if "evidence" in values else CellResult
    forms = _forms(form)
    if set(values) != set(forms):
        raise FormError(f"the attributes {', '.join(sorted(set(values) ^ set(forms)))} do not match")
    for name, value in values.items():
        if not forms[name](value):
            raise FormError(f"{name} is {value!r}")
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return form(**{**values, **lists})


@functools.cache
def _forms(form: type[Result]) -> dict[str, Callable[[object], bool]]:
    """What the values of a result's attributes must look like, by name."""
    hints = get_type_hints(form)
    return {field.name: _FORMS[hints[field.name]] for field in fields(form)}
