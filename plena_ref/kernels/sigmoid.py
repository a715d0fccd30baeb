"""The sigmoid of rows, from their negated arguments."""

from __future__ import annotations

from collections.abc import Sequence

from plena_ref.kernels.program import Program, Register


def emit_sigmoids(p: Program, rows: Sequence[Register], one: Register) -> None:
    """Each row = 1 / (1 + exp(row)), a step of all rows at a time; `one` is the f register that holds 1."""
    for row in rows:
        p.V_EXP_V(row, row)
    for row in rows:
        p.V_ADD_VF(row, row, one)
    for row in rows:
        p.V_RECI_V(row, row)
