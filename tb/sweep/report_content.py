"""What report.json holds; docs/sweep.md shows it to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict


class Item(TypedDict):
    """What a cell and a mutant have in common.

    Keys: `status`, one of `report.CELL_STATES` or `report.MUTANT_STATES`; `why` it is what it is.
    """

    name: str
    status: str
    why: str


class CellEntry(Item, total=False):
    """A cell: the values of its axes and, once it has run, what its result says.

    Keys: those of `CellResult`, None for numbers that JSON does not know; the two ratios are the largest
    error by what the closed form and the model of the roundings give for it.
    """

    mlen: int
    blen: int
    batch: int
    seq: int
    head_dim: int
    mask: str
    heads: int
    kv_seq: int
    command: str
    bit_exact: bool
    match_percent: float
    max_error: float | None
    expected_ratio: float | None
    predicted_ratio: float | None
    phases: Mapping[str, float]
    page: str


class MutantEntry(Item):
    """A mutant."""

    history: str
    file: str
    case: str
    seconds: float


class Report(TypedDict):
    """The whole report."""

    schema: int

    sources: str
    matrix: str
    axes: list[str]
    factor: float
    closed_form_factor: float
    summary: dict[str, dict[str, int]]
    seconds: dict[str, float]
    coinciding: int
    cells: list[CellEntry]
    illegal: list[dict[str, str | int]]
    mutants: list[MutantEntry]
