"""The `make sim` of a cell: what runs it alone, on the same data."""

from __future__ import annotations

from plena_ref.workloads import overrides
from plena_ref.workloads.case import Case
from tb.sweep import problems


def command(case: Case) -> str:
    """The `make sim` that runs a case alone, on the same data."""
    base = problems.base(case)
    return " ".join(["make", "sim", f"TEST={base.name}", *overrides.pairs(case, base)])
