"""A short reading of a failure: which kind of fault it is, and what its pattern says, with why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tb.diagnosis.account import Culprit
from tb.diagnosis.names import numbers

F64 = NDArray[np.float64]

#: Units by the letter of their instructions.
UNITS = {"M": "matrix unit", "V": "vector unit", "F": "float unit", "H": "HBM unit"}
#: Share of the elements that a suspect must explain.
_EXPLAINED = 0.95


@dataclass(frozen=True)
class Errors:
    """A result beside its golden; all arrays are batch x seq x heads x columns.

    Attributes:
        got, golden: the values.
        right: which elements are within their bounds.
        matches: which elements of one array are within the bounds around another.
        mlen: edge of a tile.
        first_position: position of the first query among the keys, where there are any.
    """

    got: F64
    golden: F64
    right: NDArray[np.bool_]
    matches: Callable[[F64, F64], NDArray[np.bool_]]
    mlen: int
    first_position: int | None = None


def read(
    errors: Errors,
    bit_exact: bool,
    culprit: Culprit | None,
    wrong_stage: str | None,
    never_read: Sequence[str],
    suspects: Iterable[tuple[str, F64]],
) -> tuple[str, ...]:
    """The sentences, what decides first."""
    found = [_kind(bit_exact, bool(errors.right.all()), culprit)]
    if bit_exact and wrong_stage is not None:
        found.append(f"The first stage that is wrong, from inputs that are right: {wrong_stage}.")
    if bit_exact and not errors.right.all():
        found += _suspected(errors, suspects)
        if never_read:
            what = "; ".join(never_read)
            found.append(
                f"Staged for the program, but never read by it: {what}. An address, stride or count is off."
            )
    if not errors.right.all():
        found += _pattern(errors, bit_exact)
    return tuple(found)


def _kind(bit_exact: bool, accurate: bool, culprit: Culprit | None) -> str:
    """Whose fault it is."""
    if bit_exact and accurate:
        return (
            "Bit-exact and close to the golden: what failed is neither a memory nor a value; see the reasons."
        )
    if bit_exact:
        return (
            "Bit-exact but wrong: RTL and reference machine do the same, so what they were told is wrong: "
            "the kernel, the layout, what was staged, or the golden."
        )
    if culprit is None:
        return "Not bit-exact: the RTL did something else than the reference machine."
    unit = UNITS.get(culprit.unit, "frontend")
    did = f" There, {culprit.did}." if culprit.did is not None else ""
    where = f"{culprit.instruction} at pc {culprit.pc}"
    return f"Not bit-exact: the RTL is wrong, and the {unit} or what feeds it first, in {where}.{did}"


def _suspected(errors: Errors, suspects: Iterable[tuple[str, F64]]) -> Iterator[str]:
    """The wrong result that this one is, if it is one that is known."""
    best, found = _EXPLAINED, ""
    for name, result in suspects:
        share = float(errors.matches(errors.got, result).mean())
        if share > best and not np.array_equal(result, errors.golden):
            best, found = share, name
    if found:
        yield (
            f"The result is what comes out when {found}: {100 * best:.1f}% of its elements are within the "
            "bounds around that."
        )


def _pattern(errors: Errors, bit_exact: bool) -> Iterator[str]:
    """Which batches, heads, rows and columns are wrong; what of a kernel may be at fault, if it is one."""
    wrong = ~errors.right
    batch, row, head, column = (_along(wrong, axis) for axis in range(4))
    places = (("batch", batch), ("head", head), ("row", row), ("column", column))
    where = "".join(_some(what, marks) for what, marks in places)
    yield f"{int(wrong.sum()):,} of {wrong.size:,} elements are out of bounds{where}."
    if not bit_exact:
        return
    if len(batch) > 1 and not batch[0] and batch[1:].all():
        yield (
            "The first batch is right and every later one wrong: a stride from batch to batch (of an input "
            "or of the result), or a pointer that is not moved on."
        )
    elif len(batch) > 1 and batch.sum() == 1:
        yield f"Only batch {int(np.argmax(batch))} is wrong: what is made for all batches alike is right."
    if len(head) > 1 and head.sum() == 1:
        yield f"Only head {int(np.argmax(head))} is wrong: a pointer or offset of that head."
    yield from _beginning(errors, int(np.argmax(row)))


def _beginning(errors: Errors, first: int) -> Iterator[str]:
    """What begins with the first wrong row, where something does."""
    if first == 0:
        return
    start = f"Right up to row {first - 1}, wrong from row {first} on"
    position = errors.first_position
    if position is not None and (position + first) % errors.mlen == 0:
        yield (
            f"{start}, the first that sees key tile {(position + first) // errors.mlen}: the mask, the "
            "address or the softmax state of the key tiles past the first."
        )
    elif first % errors.mlen == 0:
        yield f"{start}, where row tile {first // errors.mlen} begins."


def _along(wrong: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Along one axis, where anything is wrong."""
    return np.asarray(wrong.any(axis=tuple(other for other in range(wrong.ndim) if other != axis)))


def _some(what: str, wrong: NDArray[np.bool_]) -> str:
    """Which of several, if not all."""
    where = np.flatnonzero(wrong)
    if len(wrong) == 1:
        return ""
    if len(where) == len(wrong):
        return f", in every {what}"
    plural = {"batch": "batches"}.get(what, f"{what}s") if len(where) > 1 else what
    return f", in {plural} {numbers(where)} of {len(wrong)}"
