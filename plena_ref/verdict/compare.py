"""The verdict on a run: bit-exact with the reference machine, close to the golden, nothing written astray."""

from __future__ import annotations

from dataclasses import dataclass

from plena_ref.machine.state import MemoryImages, Registers
from plena_ref.verdict.accuracy import BatchRow, accuracy, all_pass, allowed_misses, result_values
from plena_ref.verdict.departures import departing_heads
from plena_ref.verdict.judged import Judged
from plena_ref.verdict.memory import MEMORIES, memory_difference, out_of_bounds, register_differences
from plena_ref.verdict.tolerance import Tolerance


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
        wrong_integers: the words of INT_MEM that do not hold what they must.
        departures: heads that are not what the roundings make of the data.
    """

    batches: tuple[BatchRow, ...]
    differences: tuple[str, ...]
    out_of_bounds_writes: int
    first_out_of_bounds: str | None
    allowed_misses: int
    tolerance: Tolerance
    by_interval: bool = False
    wrong_integers: tuple[str, ...] = ()
    departures: tuple[str, ...] = ()

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
        """Every batch passes, they have no more misses than the case may have, and no head departs."""
        return all_pass(self.batches, self.allowed_misses) and not self.departures

    @property
    def passed(self) -> bool:
        """Bit-exact, accurate, integers right, nothing written outside the tensors."""
        right = self.accurate and not self.wrong_integers
        return self.bit_exact and right and self.out_of_bounds_writes == 0

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the run did not pass; empty when it did."""
        found = [
            f"batch {row.batch}: {row.match_percent:.3f}% within {self._rule}; "
            f"maximum error {row.max_abs_error:.4g}"
            for row in self.batches
            if not row.passed or (row.misses and not all_pass(self.batches, self.allowed_misses))
        ]
        found += [*self.departures, *self.wrong_integers[:1]]
        found += [f"not bit-exact: {difference}" for difference in self.differences]
        if self.out_of_bounds_writes:
            where = f"the first is {self.first_out_of_bounds}"
            found.append(f"{self.out_of_bounds_writes} words written outside the tensors; {where}")
        return tuple(found)


def compare(
    work: Judged,
    got_images: MemoryImages,
    reference_images: MemoryImages,
    got_registers: Registers,
    reference_registers: Registers,
) -> Verdict:
    """Judge a run of `work`.

    Args:
        got_images, got_registers: what the run left; a dump of HBM may be shorter than the memory.
        reference_images, reference_registers: what the reference machine left.
    """
    differences = []
    for memory in MEMORIES:
        difference = memory_difference(
            work.hardware,
            memory,
            getattr(got_images, memory),
            getattr(reference_images, memory),
            getattr(work.images, memory),
        )
        if difference is not None:
            differences.append(difference)
    differences += register_differences(got_registers, reference_registers)
    count, first = out_of_bounds(work, got_images)
    values = result_values(work, got_images.vram)
    return Verdict(
        batches=accuracy(values, work.golden, work.tolerance, work.interval),
        differences=tuple(differences),
        out_of_bounds_writes=count,
        first_out_of_bounds=first,
        allowed_misses=allowed_misses(work.golden.size, work.tolerance),
        tolerance=work.tolerance,
        by_interval=work.interval is not None,
        wrong_integers=tuple(
            f"INT_MEM word {word}: got {int(got_images.intmem[word])}, must be {wanted}"
            for word, wanted in work.integers.items()
            if int(got_images.intmem[word]) != wanted
        ),
        departures=departing_heads(values, work.modelled),
    )
