"""What a dataclass says of its fields: the section "Attributes:" of its docstring, by field."""

from __future__ import annotations

import inspect
import re

_ENTRY = re.compile(r"    ([a-z_0-9]+(?:, [a-z_0-9]+)*): (.*)")


def meanings(kind: type) -> dict[str, str]:
    """The text about each field that the docstring of a class, or of one it derives from, describes."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        found.update(_section(inspect.cleandoc(one.__doc__ or "")))
    return found


def _section(text: str) -> dict[str, str]:
    """The entries below the line "Attributes:", up to the first line that is not indented."""
    found: dict[str, str] = {}
    names: list[str] = []
    _, _, rest = text.partition("\nAttributes:\n")
    for line in rest.splitlines():
        if not line.startswith("    "):
            break
        entry = _ENTRY.fullmatch(line)
        if entry:
            names = entry[1].split(", ")
            found.update(dict.fromkeys(names, entry[2]))
        else:
            found.update({name: f"{found[name]} {line.strip()}" for name in names})
    return found
