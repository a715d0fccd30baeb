"""Where the type checker is told to look away: every place says why in its line, and there are few.

``python -m scripts.untyped`` counts, in what mypy checks, each use of `Any`, each `type: ignore`, each `cast`
and each section of overrides in pyproject.toml. A place of the code has its reason in a comment of the same
line: `# Any: ...`, or text after the `ignore[...]`; a section has a comment. Exits 1 when a reason is missing
or there are more than `MOST`; it is part of ``python -m scripts.lint``.
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tb.engine.paths import REPO

#: Places at most.
MOST = 20
#: What mypy checks; pyproject.toml says the same.
CHECKED = ("plena_ref", "tb", "scripts", "setup.py")
#: How the comment with the reason begins, by the name that needs one.
_NAMES = {"Any": r"# Any: \S+ \S+", "cast": r"# cast: \S+ \S+"}
_IGNORE = re.compile(r"# type: ignore\b(?:\[[\w, -]+\]  # \S+ \S+)?")
_WHOLE_FILE = re.compile(r"# mypy: ")
_IMPORT = re.compile(r"\s*(?:from|import) ")
#: What a file must hold to be looked at closely: most hold nothing of it.
_SIGNS = re.compile(r"\bAny\b|\bcast\b|# type: |# mypy: ")


@dataclass(frozen=True)
class Place:
    """One place: file and line, what stands there, and whether its reason does."""

    where: str
    what: str
    has_reason: bool


def of_text(name: str, text: str) -> Iterator[Place]:
    """The places of a source; an import is none."""
    if not _SIGNS.search(text):
        return
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        where, line = f"{name}:{token.start[0]}", lines[token.start[0] - 1] if token.string else ""
        if token.type == tokenize.NAME and token.string in _NAMES and not _IMPORT.match(line):
            yield Place(where, token.string, bool(re.search(_NAMES[token.string], line)))
        elif token.type == tokenize.COMMENT and (found := _IGNORE.match(token.string)):
            yield Place(where, "ignore", "]  # " in found[0])
        elif token.type == tokenize.COMMENT and _WHOLE_FILE.match(token.string):
            yield Place(where, "options of a file", False)


def of_settings(name: str, text: str) -> Iterator[Place]:
    """The sections of overrides of a pyproject.toml; the next line is a comment with the reason."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if line.strip() == "[[tool.mypy.overrides]]":
            reason = lines[number] if number < len(lines) else ""
            yield Place(f"{name}:{number}", "overrides", reason.startswith("# "))
        elif re.match(r"\w*exclude\b|ignore_errors\b", line):
            yield Place(f"{name}:{number}", line.split("=")[0].strip(), "  # " in line)


def places(root: Path = REPO) -> list[Place]:
    """Every place of a tree."""
    files = [root / part for part in CHECKED]
    sources = [file for part in files for file in ([part] if part.is_file() else sorted(part.rglob("*.py")))]
    found = [place for file in sources for place in of_text(str(file.relative_to(root)), file.read_text())]
    settings = root / "pyproject.toml"
    return found + list(of_settings(settings.name, settings.read_text()))


def problems(found: list[Place]) -> list[str]:
    """A line for every place without its reason, and one if there are too many."""
    said = [f"{place.where}: {place.what} without a reason" for place in found if not place.has_reason]
    if len(found) > MOST:
        said.append(f"{len(found)} places where mypy is told to look away; {MOST} at most")
    return said


def main() -> int:
    """Print what is wrong, or the number of places; returns the exit status."""
    found = places()
    said = problems(found)
    print("\n".join(said or [f"{len(found)} places of at most {MOST}, each with its reason"]))
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
