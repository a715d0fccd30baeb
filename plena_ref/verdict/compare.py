"""The verdict on a run: bit-exact with the reference machine, close to the golden, nothing written astray.

Only active rows are compared with the golden. Padding is checked the other way round: it must still hold
what it held before the run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_to_f32
from plena_ref.machine.regions import region_mask
from plena_ref.machine.state import MemoryImages, Registers
from plena_ref.workloads.cases import Tolerance, Workload

MEMORIES = ("vram", "msram", "fpmem", "intmem", "hbm")


@dataclass(frozen=True)
class WorstElement:
    """The element of a batch that is farthest from its golden; a NaN is farther than anything."""

    head: int
    row: int
    column: int
    golden: float
    got: float


@dataclass(frozen=True)
class BatchRow:
    """How one batch compares with its golden.

    Attributes:
        batch: its number.
        rows: active rows compared.
        match_percent: share of elements within the tolerance.
        misses: elements that are not.
        max_abs_error: largest |got - golden|; infinite when an element is NaN.
        worst: where that is.
        passed: no more misses than the whole case may have, and all elements lie within the outer bound.
    """

    batch: int
    rows: int
    match_percent: float
    misses: int
    max_abs_error: float
    worst: WorstElement
    passed: bool


@dataclass(frozen=True)
class Verdict:
    """The outcome of a run.

    Attributes:
        batches: accuracy, a row a batch.
        differences: the first difference from the reference of each memory, and every register that differs.
        out_of_bounds_writes: words changed outside everything the program may write.
        first_out_of_bounds: the first of them by name, or None.
        allowed_misses: how many elements of the case may miss.
        tolerance: what the accuracy was judged by.
        by_interval: the error bound of the case's data took the tolerance's place.
    """

    batches: tuple[BatchRow, ...]
    differences: tuple[str, ...]
    out_of_bounds_writes: int
    first_out_of_bounds: str | None
    allowed_misses: int
    tolerance: Tolerance
    by_interval: bool = False

    @property
    def _rule(self) -> str:
        if self.by_interval:
            return "the error bound of its data, all must be"
        tolerance = self.tolerance
        return (
            f"{tolerance.atol} + {tolerance.rtol}*|golden|, {tolerance.match_percent}% must be, "
            f"all within {tolerance.outer}*(1 + |golden|)"
        )

    @property
    def bit_exact(self) -> bool:
        """Every memory and register equals the reference machine's."""
        return not self.differences

    @property
    def accurate(self) -> bool:
        """Every batch passes, and together they have no more misses than the case may have."""
        misses = sum(row.misses for row in self.batches)
        return misses <= self.allowed_misses and all(row.passed for row in self.batches)

    @property
    def passed(self) -> bool:
        """Bit-exact, accurate, nothing written outside the tensors."""
        return self.bit_exact and self.accurate and self.out_of_bounds_writes == 0

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the run did not pass; empty when it did."""
        found = [
            f"batch {row.batch}: {row.match_percent:.3f}% within {self._rule}; "
            f"maximum error {row.max_abs_error:.4g}"
            for row in self.batches
            if not row.passed or (row.misses and not self.accurate)
        ]
        found += [f"not bit-exact: {difference}" for difference in self.differences]
        if self.out_of_bounds_writes:
            where = f"the first is {self.first_out_of_bounds}"
            found.append(f"{self.out_of_bounds_writes} words written outside the tensors; {where}")
        return tuple(found)

    def to_json(self) -> dict[str, object]:
        """A dictionary for `result.json`; numbers that JSON does not know are the strings "nan" and "inf"."""
        return {
            "passed": self.passed,
            "bit_exact": self.bit_exact,
            "differences": list(self.differences),
            "tolerance": {
                "atol": self.tolerance.atol,
                "rtol": self.tolerance.rtol,
                "match_percent": self.tolerance.match_percent,
                "outer": self.tolerance.outer,
            },
            "batches": [_batch_json(row) for row in self.batches],
            "out_of_bounds_writes": self.out_of_bounds_writes,
            "reasons": list(self.reasons),
        }

    def print(self, console: Console) -> None:
        """Print the table, a line a batch, and the reasons of a failure."""
        table = Table(title="verdict per batch", title_justify="left")
        columns = ("batch", "rows", "match %", "max error", "worst (head, row, column)", "golden", "got", "")
        for name in columns:
            table.add_column(name, justify="right")
        for row in self.batches:
            worst = row.worst
            table.add_row(
                str(row.batch),
                str(row.rows),
                f"{row.match_percent:.3f}",
                f"{row.max_abs_error:.5f}",
                f"({worst.head}, {worst.row}, {worst.column})",
                f"{worst.golden:.5f}",
                f"{worst.got:.5f}",
                "PASS" if row.passed else "FAIL",
            )
        console.print(table)
        console.print(f"bit-exact with the reference machine: {'yes' if self.bit_exact else 'NO'}")
        console.print(f"words written outside the tensors: {self.out_of_bounds_writes}")
        for reason in self.reasons:
            console.print(f"  {reason}", markup=False, soft_wrap=True)
        console.print("PASS" if self.passed else "FAIL")


def _batch_json(row: BatchRow) -> dict[str, object]:
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


def result_values(workload: Workload, vram: NDArray[np.uint16]) -> NDArray[np.float64]:
    """The active elements of the result in `vram`: batch x seq x heads x head_dim."""
    batch, seq, heads, head_dim = workload.golden.shape
    rows = workload.comparison.extract(vram).reshape(batch, seq, heads, workload.head_cols)
    return bf16_to_f32(rows[..., :head_dim]).astype(np.float64)


def allowed_misses(elements: int, tolerance: Tolerance) -> int:
    """How many of `elements` may lie outside the tolerance, rounded down."""
    share = Fraction(100) - Fraction(str(tolerance.match_percent))
    return math.floor(elements * share / 100)


def accuracy(
    got: NDArray[np.float64],
    golden: NDArray[np.float64],
    tolerance: Tolerance,
    interval: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> tuple[BatchRow, ...]:
    """Compare batch x seq x heads x head_dim arrays, a row a batch; an interval replaces the tolerance."""
    rows = []
    allowed = allowed_misses(golden.size, tolerance)
    for batch, (values, wanted) in enumerate(zip(got, golden, strict=True)):
        error = np.abs(values - wanted)
        error = np.where(np.isnan(error), np.inf, error)
        matches = error <= tolerance.atol + tolerance.rtol * np.abs(wanted)
        within = error <= tolerance.outer + tolerance.outer * np.abs(wanted)
        if interval is not None:
            lower, upper = (bound[batch] for bound in interval)
            within = matches = (lower <= values) & (values <= upper)
        row, head, column = (int(i) for i in np.unravel_index(int(np.argmax(error)), error.shape))
        at = (row, head, column)
        worst = WorstElement(head, row, column, float(wanted[at]), float(values[at]))
        misses = int((~matches).sum())
        passed = misses <= allowed and bool(within.all())
        percent = 100.0 * float(matches.mean())
        rows.append(BatchRow(batch, wanted.shape[0], percent, misses, float(error.max()), worst, passed))
    return tuple(rows)


def _name_of(hw: Hardware, memory: str, index: int) -> str:
    """A word of a memory as a person would look for it."""
    if memory == "vram":
        return f"VRAM element {index} (row {index // hw.mlen}, column {index % hw.mlen})"
    if memory == "msram":
        tile, rest = divmod(index, hw.tile_elems)
        return f"MSRAM element {index} (tile {tile}, row {rest // hw.mlen}, column {rest % hw.mlen})"
    return f"{ {'fpmem': 'FP_MEM word', 'intmem': 'INT_MEM word', 'hbm': 'HBM byte'}[memory] } {index}"


def _memory_difference(
    hw: Hardware, memory: str, got: NDArray, reference: NDArray, before: NDArray
) -> str | None:
    """The first difference in a memory. A dump may end early where the reference changed nothing behind."""
    length = len(got)
    if length > len(reference):
        return f"{memory}: the dump has {length} words, the memory {len(reference)}"
    if not np.array_equal(reference[length:], before[length:]):
        return f"{memory}: the dump ends at word {length}, the reference wrote behind it"
    if np.array_equal(got, reference[:length]):
        return None
    differs = np.flatnonzero(got != reference[:length])
    first = int(differs[0])
    digits = 2 * got.dtype.itemsize
    return (
        f"{_name_of(hw, memory, first)}: got 0x{int(got[first]):0{digits}X}, "
        f"reference 0x{int(reference[first]):0{digits}X} ({len(differs)} words differ)"
    )


def _register_differences(got: Registers, reference: Registers) -> list[str]:
    found = []
    for file in ("gp", "f", "a"):
        pairs = zip(getattr(got, file), getattr(reference, file), strict=True)
        for index, (value, wanted) in enumerate(pairs):
            if value != wanted:
                found.append(f"register {file}{index}: got 0x{value:X}, reference 0x{wanted:X}")
    for name in ("scale", "stride", "v_mask"):
        value, wanted = getattr(got, name), getattr(reference, name)
        if value != wanted:
            found.append(f"register {name.upper()}: got 0x{value:X}, reference 0x{wanted:X}")
    return found


def out_of_bounds(workload: Workload, got: MemoryImages) -> tuple[int, str | None]:
    """Words changed outside the declared regions: their number and the first one's name."""
    hw = workload.case.hardware
    count, first = 0, None
    for memory in MEMORIES:
        after = getattr(got, memory)
        before = getattr(workload.images, memory)[: len(after)]
        if np.array_equal(after, before):
            continue
        stray = after != before
        stray &= ~region_mask([*workload.outputs, *workload.scratch], memory, len(after))
        count += int(stray.sum())
        if first is None and stray.any():
            first = _name_of(hw, memory, int(np.argmax(stray)))
    return count, first


def compare(
    workload: Workload,
    got_images: MemoryImages,
    reference_images: MemoryImages,
    got_registers: Registers,
    reference_registers: Registers,
) -> Verdict:
    """Judge a run of `workload`.

    Args:
        got_images, got_registers: what the run left; a dump of HBM may be shorter than the memory.
        reference_images, reference_registers: what the reference machine left.
    """
    differences = []
    for memory in MEMORIES:
        difference = _memory_difference(
            workload.case.hardware,
            memory,
            getattr(got_images, memory),
            getattr(reference_images, memory),
            getattr(workload.images, memory),
        )
        if difference is not None:
            differences.append(difference)
    differences += _register_differences(got_registers, reference_registers)
    count, first = out_of_bounds(workload, got_images)
    return Verdict(
        batches=accuracy(
            result_values(workload, got_images.vram),
            workload.golden,
            workload.case.tolerance,
            workload.interval,
        ),
        differences=tuple(differences),
        out_of_bounds_writes=count,
        first_out_of_bounds=first,
        allowed_misses=allowed_misses(workload.golden.size, workload.case.tolerance),
        tolerance=workload.case.tolerance,
        by_interval=workload.interval is not None,
    )
