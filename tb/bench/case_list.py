"""The registered cases with their shapes, as `make list` shows them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from plena_ref.workloads.case import Case


def row(case: Case) -> tuple[str, str, str, str, str]:
    """Name, machine, kernel, problem and simulators of a case."""
    hw = case.hardware
    data = "" if case.data == case.problem.data_kinds[0] else f", {case.data} data"
    return (
        case.name,
        f"{hw.mlen}/{hw.blen}" if hw.hlen == hw.mlen else f"{hw.mlen}/{hw.blen}/{hw.hlen}",
        case.kernel,
        f"{case.problem.describe()}{data}",
        ", ".join(case.simulators),
    )


def matching(cases: Sequence[Case], wanted: str) -> list[Case]:
    """The cases whose row holds every word of a text, in small letters or capitals."""
    parts = wanted.lower().split()
    return [case for case in cases if all(part in " ".join(row(case)).lower() for part in parts)]


def show(cases: Sequence[Case], console: Console) -> None:
    """Print cases: a table on a terminal, else one line a case with tabs between its columns."""
    if not console.is_terminal:
        for case in cases:
            console.print("\t".join(row(case)), markup=False, highlight=False, soft_wrap=True)
        return
    table = Table("TEST", "MLEN/BLEN[/HLEN]", "KERNEL", "problem", "runs on")
    for case in cases:
        table.add_row(*row(case))
    console.print(table)
