"""What is refused, and the rule that the message names: the tables of refusals.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

_FILE = Path(__file__).with_name("refusals.toml")


def refusals(table: str) -> list[object]:
    """The parameter sets of one table, the rule last in each, with the values that come first as its id.

    Raises:
        KeyError: there is no such table.
    """
    rows = tomllib.loads(_FILE.read_text())[table]
    return [pytest.param(values, *rest, id=str(values)) for values, *rest in rows]


def case_refusals(table: str) -> list[object]:
    """The parameter sets (name of a case, values, rule) of a table by case."""
    by_case = tomllib.loads(_FILE.read_text())[table]
    return [
        pytest.param(name, values, rule, id=f"{name}-{values}")
        for name, rows in by_case.items()
        for values, rule in rows
    ]
