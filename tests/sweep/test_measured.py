"""The table that docs/sweep.md shows, made from a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tb.sweep import measured, report
from tb.sweep.cell import CellResult
from tests.sweep.plans import MATRIX, good, plan


def table(folder: Path, results: list[CellResult]) -> list[str]:
    """The lines of the table, with these results in the store."""
    made = plan(folder, [MATRIX.by_name[result.name] for result in results])
    made.keep(results)
    return measured.markdown(report.collect(MATRIX, made.store, "matrix.toml")).splitlines()


def test_a_line_per_mlen_shows_the_worst(tmp_path: Path) -> None:
    first, second, third = MATRIX.slice({"mlen": ["8"]})[:3]
    lines = table(
        tmp_path,
        [
            replace(good(first, 7.0), cycles=9),
            replace(good(second), passed=False, bit_exact=False, match_percent=88.0, max_error=0.05),
            CellResult(third.name, error="the disk is full"),
        ],
    )
    assert "1 failed, 1 could not run, 1 passed" in lines[0]
    number = sum(cell.case.hardware.mlen == 8 for cell in MATRIX.cells)
    assert f"| 8 | {number} | 1 | 1 | 88.00 | 0.050 | 1.000 .. 2.500 | 2.00 .. 5.00 | 0.0 | 7.0 |" in lines
    assert sum(line.startswith("| 256 |") and line.split("|")[3].strip() == "0" for line in lines) == 1
    assert lines[-1].startswith("Where the ") and "reference 8 s (100%)" in lines[-1]


def test_an_error_without_a_number_is_infinite(tmp_path: Path) -> None:
    cell = MATRIX.slice({"mlen": ["8"]})[0]
    lines = table(tmp_path, [replace(good(cell), passed=False, max_error=float("inf"))])
    (line,) = [line for line in lines if line.startswith("| 8 |")]
    assert "| inf | inf .. inf |" in line


def test_without_a_report_it_says_what_to_do(tmp_path: Path, capsys) -> None:
    assert measured.main([str(tmp_path / "report.json")]) == 2
    assert "run make sweep first" in capsys.readouterr().err
