"""A verdict as people and programs read it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from plena_ref.verdict.accuracy import BatchRow
from plena_ref.verdict.compare import Verdict
from plena_ref.verdict.stages import StageVerdict


def to_json(verdict: Verdict) -> dict[str, object]:
    """A dictionary for `result.json`; numbers that JSON does not know are the strings "nan" and "inf"."""
    return {
        "passed": verdict.passed,
        "bit_exact": verdict.bit_exact,
        "differences": list(verdict.differences),
        "tolerance": {
            "atol": verdict.tolerance.atol,
            "rtol": verdict.tolerance.rtol,
            "match_percent": verdict.tolerance.match_percent,
            "outer": verdict.tolerance.outer,
        },
        "batches": [batch_json(row) for row in verdict.batches],
        "out_of_bounds_writes": verdict.out_of_bounds_writes,
        "reasons": list(verdict.reasons),
    }


def batch_json(row: BatchRow) -> dict[str, object]:
    """The accuracy of one batch as a dictionary."""
    worst = row.worst
    return {
        "batch": row.batch,
        "rows": row.rows,
        "match_percent": row.match_percent,
        "max_abs_error": _number(row.max_abs_error),
        "worst": {
            "head": worst.head,
            "row": worst.row,
            "column": worst.column,
            "golden": _number(worst.golden),
            "got": _number(worst.got),
        },
    }


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


#: Heads of the columns of `stage_cells`.
STAGE_COLUMNS = ("layer", "stage", "error / bound", "bound (median)", "size (rms)", "right")


def stage_cells(verdict: StageVerdict) -> tuple[str, ...]:
    """The line of one stage: its largest error by its bound, and how large its values are."""
    return (
        str(verdict.stage.layer),
        verdict.stage.name,
        f"{verdict.ratio:.3f}",
        f"{verdict.bound:.2g}",
        f"{verdict.size:.4g}",
        "yes" if verdict.passed else "NO",
    )


def batch_columns(heads: bool = True) -> tuple[str, ...]:
    """Heads of the columns of `batch_cells`."""
    place = "worst (head, row, column)" if heads else "worst (row, column)"
    return ("batch", "rows", "match %", "max error", place, "golden", "got", "")


def batch_cells(row: BatchRow, heads: bool = True) -> tuple[str, ...]:
    """The line of one batch; `heads`: the worst element's head is shown, which a result without any lacks."""
    worst = row.worst
    where = (worst.head, worst.row, worst.column) if heads else (worst.row, worst.column)
    return (
        str(row.batch),
        str(row.rows),
        f"{row.match_percent:.3f}",
        f"{row.max_abs_error:.5f}",
        str(where),
        f"{worst.golden:.5f}",
        f"{worst.got:.5f}",
        "PASS" if row.passed else "FAIL",
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None) -> Table:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def print_stages(stages: Sequence[StageVerdict], console: Console) -> None:
    """Print a table, a line a stage."""
    console.print(_table(STAGE_COLUMNS, map(stage_cells, stages), "stages, each from what it read"))


def batch_table(rows: Sequence[BatchRow], title: str | None = None, heads: bool = True) -> Table:
    """A table with a line for each batch; `heads` as for `batch_cells`."""
    return _table(batch_columns(heads), (batch_cells(row, heads) for row in rows), title)


def print_verdict(verdict: Verdict, console: Console) -> None:
    """Print the table, a line a batch, and the reasons of a failure."""
    console.print(batch_table(verdict.batches, "verdict per batch"))
    console.print(f"bit-exact with the reference machine: {'yes' if verdict.bit_exact else 'NO'}")
    console.print(f"words written outside the tensors: {verdict.out_of_bounds_writes}")
    for reason in verdict.reasons:
        console.print(f"  {reason}", markup=False, soft_wrap=True)
    console.print("PASS" if verdict.passed else "FAIL")
