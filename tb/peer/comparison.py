"""Which VRAM words hold a result, as `comparison_params.json` says it, and the tools' own pass mark."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.verdict.comparison import ResultPlace
from tb.peer.errors import PeerError, read_text

FILE = "comparison_params.json"
_NEEDED = ("start_row_idx", "num_rows", "num_batches", "elements_per_batch")


@dataclass(frozen=True)
class Comparison(ResultPlace):
    """Where a result lies and how the tools would judge it; the attributes are named after their keys.

    Attributes:
        path: the file.
        slice_per_row: leading columns of each row that count; None: all.
        atol, rtol: an element matches when |got - golden| <= atol + rtol*|golden|.
        match_percent: share of the elements that must.
    """

    path: Path
    slice_per_row: int | None
    atol: float
    rtol: float
    match_percent: float

    def places(self, columns: int) -> NDArray[np.int64]:
        """VRAM element addresses of the golden's leading `columns` columns: int64 [num_batches, columns]."""
        number = np.arange(self.num_batches)
        batch, row = np.divmod(number, self.active_seq_per_batch)
        rows = (batch * self.rows_per_batch + row)[:, None]
        column = np.arange(columns)[None, :]
        first = self.start_row_idx * self.row_dim
        if self.use_stride_mode:
            block, inside = np.divmod(column, self.row_dim)
            result: NDArray[np.int64] = first + (block * self.physical_rows + rows) * self.row_dim + inside
            return result
        return first + rows * self._row_step + column

    @property
    def _row_step(self) -> int:
        """Elements between two rows that are not in column blocks: whole VRAM rows, or packed ones."""
        width = self.elements_per_batch if self.slice_per_row is None else self.slice_per_row
        if self.slice_per_row is not None or self.num_rows >= self.num_batches:
            return -(-width // self.row_dim) * self.row_dim
        return width

    def columns(self, given: int) -> int:
        """How many of the golden's `given` columns are compared.

        Raises:
            PeerError: the golden has more columns than the result.
        """
        if self.slice_per_row is not None:
            return min(given, self.slice_per_row)
        if given > self.elements_per_batch:
            reason = f"{self.elements_per_batch}, but the golden has {given} columns"
            raise PeerError(self.path, "elements_per_batch", reason)
        return given

    @property
    def end(self) -> int:
        """The first VRAM element after every row that is named."""
        columns = self.elements_per_batch if self.slice_per_row is None else self.slice_per_row
        last = int(self.places(columns).max()) // self.row_dim + 1
        return max(last, self.start_row_idx + self.num_rows) * self.row_dim


def read(folder: Path) -> Comparison:
    """Read the parameters of a directory.

    Raises:
        PeerError: the file is missing or no JSON, a key is missing or has an odd value.
    """
    path = folder / FILE
    try:
        given = json.loads(read_text(path))
    except ValueError as error:
        if isinstance(error, PeerError):
            raise
        raise PeerError(path, None, f"no JSON: {error}") from None
    if not isinstance(given, dict):
        raise PeerError(path, None, "must be an object")
    for key in _NEEDED:
        if given.get(key) is None:
            raise PeerError(path, key, "is missing")
    keys = _Keys(path, given)
    rows, row_dim = keys.integer("num_batches", 1), keys.integer("row_dim", 1, 64)
    sliced = keys.flag("use_slice_mode", False)
    active = keys.integer("active_seq_per_batch", 1, rows)
    if rows % active:
        raise PeerError(path, "num_batches", f"{rows} is no multiple of active_seq_per_batch = {active}")
    rows_per_batch = keys.integer("rows_per_batch", 1, active)
    if rows > active and rows_per_batch < active:
        raise PeerError(
            path, "rows_per_batch", f"{rows_per_batch} is less than active_seq_per_batch = {active}"
        )
    return Comparison(
        path=path,
        start_row_idx=keys.integer("start_row_idx", 0),
        num_rows=keys.integer("num_rows", 1),
        num_batches=rows,
        elements_per_batch=keys.integer("elements_per_batch", 1),
        row_dim=row_dim,
        physical_rows=keys.integer("physical_rows", 1, rows),
        use_stride_mode=keys.flag("use_stride_mode", True),
        slice_per_row=keys.integer("slice_per_row", 1) if sliced else None,
        rows_per_batch=rows_per_batch,
        active_seq_per_batch=active,
        atol=keys.number("atol", 0.2),
        rtol=keys.number("rtol", 0.2),
        match_percent=keys.number("min_allclose_match_rate", 90.0),
    )


@dataclass(frozen=True)
class _Keys:
    """The keys of the file; a key that is missing or null has its default."""

    path: Path
    given: dict[str, object]

    def integer(self, key: str, low: int, default: int | None = None) -> int:
        value = self.given.get(key)
        value = default if value is None else value
        if type(value) is not int or not low <= value < 1 << 40:
            raise PeerError(self.path, key, f"{value!r} is no integer from {low} up")
        return value

    def number(self, key: str, default: float) -> float:
        value = self.given.get(key)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise PeerError(self.path, key, f"{value!r} is no number from 0 up")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self.given.get(key)
        value = default if value is None else value
        if type(value) is not bool:
            raise PeerError(self.path, key, f"{value!r} is neither true nor false")
        return value
