"""The count of the places where the type checker is told to look away."""

from __future__ import annotations

import tomllib

import pytest

from scripts import untyped


def test_what_is_counted_is_what_mypy_checks() -> None:
    """All of it, strictly."""
    settings = tomllib.loads((untyped.REPO / "pyproject.toml").read_text())["tool"]["mypy"]
    assert settings["files"] == list(untyped.CHECKED) and settings["strict"] is True
    assert "exclude" not in settings


def test_few_places_each_with_its_reason() -> None:
    assert untyped.problems(untyped.places()) == []


@pytest.mark.parametrize(
    ("line", "has_reason"),
    [
        ("x: Any = 1", False),
        ("x: Any = 1  # Any: a", False),
        ("x: Any = 1  # Any: of a library without types", True),
        ("f(x)  # type: ignore", False),
        ("f(x)  # type: ignore[attr-defined]", False),
        ("f(x)  # type: ignore[attr-defined]  # a stub that is wrong", True),
        ("y = cast(int, x)", False),
        ("y = cast(int, x)  # cast: checked above", True),
        ("# mypy: ignore-errors", False),
    ],
)
def test_a_place_and_its_reason(line: str, has_reason: bool) -> None:
    found = list(untyped.of_text("a.py", line + "\n"))
    assert [(place.where, place.has_reason) for place in found] == [("a.py:1", has_reason)]


def test_what_is_no_place() -> None:
    text = 'from typing import Any, cast\n"""Any text."""\n# Any word\nx = "cast(Any)"\n'
    assert list(untyped.of_text("a.py", text)) == []


def test_settings() -> None:
    text = "[[tool.mypy.overrides]]\n# No types.\n[[tool.mypy.overrides]]\nmodule = []\nexclude = 'x'\n"
    assert [place.has_reason for place in untyped.of_settings("p", text)] == [True, False, False]


def test_too_many() -> None:
    place = untyped.Place("a.py:1", "Any", True)
    assert untyped.problems([place] * untyped.MOST) == []
    assert untyped.problems([place] * (untyped.MOST + 1)) == [
        "21 places where mypy is told to look away; 20 at most"
    ]
