"""Two verdicts on a run of a build directory: the tools' own, and this project's.

Theirs asks for a share of the elements within a wide tolerance. Ours asks for every active element within
`STRICT`, or what `TOLERANCES` has instead, batch by batch, and for the reference machine bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_to_f32
from plena_ref.machine.state import MemoryImages, WrittenMaps
from plena_ref.verdict.accuracy import BatchRow, accuracy, allowed_misses
from plena_ref.verdict.memory import MEMORIES, memory_difference
from plena_ref.verdict.tolerance import BF16_LIMITED, STRICT, Tolerance
from tb.peer.comparison import Comparison
from tb.peer.directory import Preload
from tb.peer.errors import PeerError
from tb.peer.golden import Golden

F64 = NDArray[np.float64]
#: What ours may ask for, by the values of TOLERANCE=; the first is the usual one.
TOLERANCES = {"strict": STRICT, "bf16_limited": BF16_LIMITED}


@dataclass(frozen=True)
class PeerVerdict:
    """What the tools' verifier says.

    Attributes:
        match_percent: share of the elements within its tolerance.
        passed: the share is at least what the directory asks for.
        zeros_percent: the share that a result of zeros would have.
        zeros_pass: a result of zeros would pass.
    """

    match_percent: float
    passed: bool
    zeros_percent: float
    zeros_pass: bool


@dataclass(frozen=True)
class OurVerdict:
    """What this project says.

    Attributes:
        batches: accuracy, a row a batch; heads count as columns.
        tolerance: what judged it.
        vacuous: a result of zeros would pass the usual tolerance, so one in proportion to the golden's
            largest element took its place.
        bf16_limited: the result passes `BF16_LIMITED`, whatever judged it.
        unwritten: active elements that the program did not write.
        elements: active elements.
        differences: from the reference machine; None: the run was on the reference machine itself.
        inputs_changed: preloaded words (VRAM) and bytes (HBM) that the program changed, the result apart.
        written_outside: words that changed though the reference machine does not write them; None as above.
        ended: how the run ended, where that is no normal stop.
    """

    batches: tuple[BatchRow, ...]
    tolerance: Tolerance
    vacuous: bool
    bf16_limited: bool
    unwritten: int
    elements: int
    differences: tuple[str, ...] | None
    written_outside: int | None
    inputs_changed: dict[str, int]
    ended: str | None

    @property
    def rule(self) -> str:
        """What the elements must be, in words."""
        used = self.tolerance
        text = f"{used.atol:.4g} + {used.rtol:g}*|golden|"
        if used.match_percent == 100:
            return f"{text}, all must be"
        return f"{text}, {used.match_percent}% must be, all within {used.outer}*(1 + |golden|)"

    @property
    def accurate(self) -> bool:
        """Every batch passes, and together they have no more misses than all may have."""
        return _all_pass(self.batches, self.elements, self.tolerance)

    @property
    def passed(self) -> bool:
        """Every reason to fail is absent."""
        return not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it fails; empty when it passes."""
        found = [] if self.ended is None else [self.ended]
        found += [
            f"batch {row.batch}: {row.match_percent:.3f}% within {self.rule}; "
            f"maximum error {row.max_abs_error:.4g}"
            for row in self.batches
            if not row.passed or (row.misses and not self.accurate)
        ]
        if not self.accurate and self.bf16_limited and not self.vacuous:
            found.append("misses so rare and small may be roundings: TOLERANCE=bf16_limited passes them")
        if self.unwritten == self.elements:
            found.append("the program wrote no element of the result")
        found += [f"not bit-exact: {difference}" for difference in self.differences or ()]
        if self.written_outside:
            found.append(f"{self.written_outside} words changed that the reference machine does not write")
        return tuple(found)


def _all_pass(batches: tuple[BatchRow, ...], elements: int, tolerance: Tolerance) -> bool:
    misses = sum(row.misses for row in batches)
    return misses <= allowed_misses(elements, tolerance) and all(row.passed for row in batches)


def check_result(comparison: Comparison, golden: Golden, hw: Hardware) -> None:
    """Refuse a result that VRAM does not hold.

    Raises:
        PeerError: a row past the end of VRAM, or a golden with more columns than the result.
    """
    comparison.columns(golden.values.shape[1])
    if comparison.row_dim != hw.mlen:
        raise PeerError(comparison.path, "row_dim", f"{comparison.row_dim}, but MLEN is {hw.mlen}")
    if comparison.end > hw.vram_elems:
        last, rows = comparison.end // comparison.row_dim, hw.vram_elems // comparison.row_dim
        raise PeerError(comparison.path, "start_row_idx", f"the result ends at row {last}, VRAM at {rows}")


def judged_golden(golden: Golden, comparison: Comparison) -> F64:
    """The columns of the golden that are compared: float64 [rows, columns]."""
    return golden.values[:, : comparison.columns(golden.values.shape[1])]


def result_of(vram: NDArray[np.uint16], comparison: Comparison, columns: int) -> F64:
    """The result in VRAM, shaped as the golden."""
    return bf16_to_f32(vram[comparison.places(columns)]).astype(np.float64)


def peer_verdict(got: F64, golden: F64, comparison: Comparison) -> PeerVerdict:
    """Judge by the directory's own parameters."""

    def share(values: F64) -> float:
        with np.errstate(invalid="ignore"):
            error = np.abs(values - golden)
        return 100.0 * float((error <= comparison.atol + comparison.rtol * np.abs(golden)).mean())

    percent, zeros = share(got), share(np.zeros_like(golden))
    wanted = comparison.match_percent
    return PeerVerdict(percent, percent >= wanted, zeros, zeros >= wanted)


def _batched(values: F64, comparison: Comparison) -> F64:
    """batch x seq x 1 x columns, as the accuracy of a case is computed."""
    return values.reshape(comparison.batch, comparison.active_seq_per_batch, 1, -1)


def tolerance_for(golden: F64, asked: Tolerance) -> tuple[Tolerance, bool]:
    """What was asked for, and False; where zeros would pass it, a tolerance in proportion, and True."""
    size = np.abs(golden)
    misses = int((size > asked.atol + asked.rtol * size).sum())
    far = (size > asked.outer * (1 + size)).any()
    if misses > allowed_misses(golden.size, asked) or far:
        return asked, False
    return replace(STRICT, atol=STRICT.atol * float(size.max())), True


def our_verdict(
    got: F64,
    golden: F64,
    comparison: Comparison,
    written: WrittenMaps,
    differences: tuple[str, ...] | None,
    written_outside: int | None,
    inputs_changed: dict[str, int],
    ended: str | None,
    asked: Tolerance = STRICT,
) -> OurVerdict:
    """Judge by what was `asked`; `written` is what the reference machine wrote."""
    tolerance, vacuous = tolerance_for(golden, asked)
    both = _batched(got, comparison), _batched(golden, comparison)
    with np.errstate(invalid="ignore"):
        batches, limited = accuracy(*both, tolerance), accuracy(*both, BF16_LIMITED)
    active = written.vram[comparison.places(golden.shape[1])]
    return OurVerdict(
        batches,
        tolerance,
        vacuous,
        _all_pass(limited, golden.size, BF16_LIMITED),
        int((~active).sum()),
        active.size,
        differences,
        written_outside,
        inputs_changed,
        ended,
    )


def memory_differences(
    hw: Hardware, got: MemoryImages, reference: MemoryImages, before: MemoryImages
) -> list[str]:
    """The first difference of each memory from the reference machine's."""
    found = (
        memory_difference(hw, name, getattr(got, name), getattr(reference, name), getattr(before, name))
        for name in MEMORIES
    )
    return [difference for difference in found if difference is not None]


def changed_outside(got: MemoryImages, before: MemoryImages, written: WrittenMaps) -> int:
    """Words that changed though the reference machine did not write them."""
    count = 0
    for name in MEMORIES:
        after, earlier = getattr(got, name), getattr(before, name)
        if not np.array_equal(after, earlier):
            count += int(((after != earlier) & ~getattr(written, name)).sum())
    return count


def inputs_changed(got: MemoryImages, preload: Preload, result: NDArray[np.int64]) -> dict[str, int]:
    """Words of VRAM and bytes of HBM that a host preloaded and the program changed, but for the result's."""
    counts = {}
    for name in ("vram", "hbm"):
        before = getattr(preload, name)
        changed = getattr(got, name)[: before.size] != before
        if name == "vram":
            changed[result[result < before.size]] = False
        counts[name] = int(changed.sum())
    return counts
