"""Results on disk: they belong to what was run on which sources, and what is no result counts as absent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tb.mutants.table import MUTANTS
from tb.sweep.mutant import MutantResult
from tb.sweep.store import SCHEMA, FormError, Store, decode
from tests.sweep.plans import MATRIX, good

CELL = MATRIX.cells[5]
GOOD = good(CELL)


def test_results_come_back_as_they_went(tmp_path: Path) -> None:
    kept = Store(tmp_path, "key")
    assert kept.read(CELL) is None and not kept.done(CELL)
    for result in (GOOD, replace(GOOD, passed=False, reasons=("a", "b"), max_error=float("inf"))):
        kept.write(CELL, result)
        assert kept.read(CELL) == result and kept.done(CELL)
    kept.write(CELL, replace(GOOD, error="no disk"))
    assert kept.read(CELL) == replace(GOOD, error="no disk") and not kept.done(CELL)
    caught = MutantResult(MUTANTS[0].name, True, "batch 0: 3% within", seconds=2.5)
    kept.write(MUTANTS[0], caught)
    assert kept.read(MUTANTS[0]) == caught
    assert kept.read(MUTANTS[1]) is None
    assert len(list(tmp_path.iterdir())) == 2


def test_a_result_belongs_to_its_content_and_sources(tmp_path: Path) -> None:
    """Another case under the same name, or other sources, have no result."""
    kept = Store(tmp_path, "key")
    kept.write(CELL, GOOD)
    assert kept.done(replace(CELL))
    assert not kept.done(replace(CELL, case=replace(CELL.case, sigma=1.0)))
    assert not Store(tmp_path, "other key").done(CELL)


def as_text(**changes: object) -> str:
    return json.dumps({"schema": SCHEMA, "result": {**asdict(GOOD), **changes}})


WHOLE = as_text()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no JSON"),
        (WHOLE[:-30], "no JSON"),
        ("\0\xff garbage", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("null", "another form of result"),
        ("[1, 2]", "another form of result"),
        (json.dumps(asdict(GOOD)), "another form of result"),
        (WHOLE.replace(f'"schema": {SCHEMA}', '"schema": 1'), "another form of result"),
        (json.dumps({"schema": SCHEMA}), "no result"),
        (as_text(extra=1), "the attributes extra do not match"),
        (WHOLE.replace('"cycles": 0, ', ""), "the attributes cycles do not match"),
        (as_text(cycles="many"), "cycles is 'many'"),
        (as_text(passed=1), "passed is 1"),
        (as_text(reasons="because"), "reasons is 'because'"),
        (as_text(phases={"start": "long"}), "phases is {'start': 'long'}"),
        (as_text(name="another"), "a result of another"),
        (None, "Is a directory"),
    ],
)
def test_what_is_no_result_counts_as_absent_and_is_named_once(
    content: str | None, reason: str, tmp_path: Path
) -> None:
    lines: list[str] = []
    kept = Store(tmp_path, "key", lines.append)
    path = kept.path(CELL)
    if content is None:
        (path / "inside").mkdir(parents=True)
    else:
        path.write_text(content)
    assert kept.read(CELL) is None and not kept.done(CELL)
    assert len(lines) == 1 and str(path) in lines[0] and reason in lines[0]
    kept.write(CELL, GOOD)
    assert kept.read(CELL) == GOOD
    assert len(lines) == 1
    kept.forget(CELL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("remove", [True, False])
def test_forgetting_needs_no_file(remove: bool, tmp_path: Path) -> None:
    kept = Store(tmp_path, "key")
    if not remove:
        kept.path(CELL).mkdir()
    kept.forget(CELL)
    assert list(tmp_path.iterdir()) == []


def test_values_that_are_no_result_are_refused() -> None:
    """What a worker of another version answers."""
    with pytest.raises(FormError):
        decode([1])
    assert decode(json.loads(json.dumps(asdict(GOOD)))) == GOOD


def test_an_unreadable_file_counts_as_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    kept = Store(tmp_path, "key", lines.append)
    kept.write(CELL, GOOD)

    def refuse(_path: Path) -> str:
        raise PermissionError("no permission")

    read: Callable[[Path], str] = Path.read_text
    monkeypatch.setattr(Path, "read_text", refuse)
    assert kept.read(CELL) is None
    assert len(lines) == 1 and "no permission" in lines[0]
    monkeypatch.setattr(Path, "read_text", read)
    assert kept.read(CELL) == GOOD
