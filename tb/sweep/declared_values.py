"""Checks of what a matrix file declares: tables, keys, counts and lengths. What is wrong is named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Table = Mapping[str, Any]  # Any: TOML, of which every table and value is checked as it is read

_LENGTH = re.compile(r"(?:(\d+)\*)?MLEN([+-]\d+)?")


class MatrixError(ValueError):
    """A matrix file or a slice that cannot be understood; the message names the culprit."""


def length(value: object, mlen: int) -> int:
    """The elements that `value`, a number or a*MLEN+b, means on a machine.

    Raises:
        MatrixError: it is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _LENGTH.fullmatch(str(value))
    if not found:
        raise MatrixError(f"{value!r} is no length: a number, or a*MLEN+b")
    return int(found[1] or 1) * mlen + int(found[2] or 0)


def expect(holds: object, where: str, value: object, wanted: str) -> None:
    """Refuse `value` at `where` unless something holds.

    Raises:
        MatrixError: it does not.
    """
    if not holds:
        raise MatrixError(f"{where} = {value!r}: expected {wanted}")


def known(name: str, names: Iterable[str], where: str) -> None:
    """Refuse a name that is none of `names`.

    Raises:
        MatrixError: it is none.
    """
    if name not in names:
        raise MatrixError(f"{where}: {name!r} is unknown; there are {', '.join(names)}")


def keys(table: Table, where: str, needed: Sequence[str], allowed: Sequence[str] = ()) -> None:
    """Refuse a table with keys that are neither needed nor allowed, or without one that is needed.

    Raises:
        MatrixError: names the key.
    """
    place = f"{where}." if where else ""
    for key in table:
        known(key, (*needed, *allowed), place + key)
    for key in needed:
        if key not in table:
            raise MatrixError(f"'{place}{key}' is missing")


def table_of(parent: Table, key: str, prefix: str = "") -> Table:
    """The table under a key.

    Raises:
        MatrixError: it is no table.
    """
    expect(isinstance(parent[key], dict), prefix + key, parent[key], "a table")
    found: Table = parent[key]
    return found


def is_count(value: object) -> bool:
    """A positive integer."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def expect_count(where: str, value: object) -> None:
    """Refuse what is no positive integer.

    Raises:
        MatrixError: it is none.
    """
    expect(is_count(value), where, value, "a positive integer")


def expect_length(where: str, value: object) -> None:
    """Refuse what is neither a number that is not negative nor a*MLEN+b, which depends on the machine.

    Raises:
        MatrixError: it is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        expect(value >= 0, where, value, "a length that is not negative")
        return
    try:
        length(value, 1)
    except MatrixError as error:
        raise MatrixError(f"{where}: {error}") from None
