"""Names for addresses: `S rows 1, 5, 9, 13 (mod 4 = 1), columns 0-18` in the place of numbers of words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region
from plena_ref.machine.tensors import NamedTensor
from plena_ref.verdict.memory import word_name

Addresses = NDArray[np.int64]

#: Numbers that are listed one by one.
_LISTED = 6


@dataclass(frozen=True)
class Part:
    """Words of one tensor in one batch and head, or words without a name (`tensor` None).

    Attributes:
        tensor: the tensor.
        batch, head: which part of it.
        addresses: the words, in order.
        rows, columns: of each word, inside its batch and head.
        others: names of other tensors that lie there at other times.
    """

    tensor: NamedTensor | None
    batch: int
    head: int
    addresses: Addresses
    rows: Addresses
    columns: Addresses
    others: tuple[str, ...] = ()
    scales: bool = False

    @property
    def name(self) -> str:
        """The tensor, with batch and head where it has several."""
        return label(self.tensor, self.batch, self.head)

    def text(self, hw: Hardware, memory: str) -> str:
        """Where the words are, in a line."""
        if self.tensor is None:
            count = f" and {len(self.addresses) - 1} more" if len(self.addresses) > 1 else ""
            return f"{word_name(hw, memory, int(self.addresses[0]))}{count}, which no tensor holds"
        rows, columns = np.unique(self.rows), np.unique(self.columns)
        whole = len(rows) * len(columns) == len(self.addresses)
        where = []
        if self.tensor.rows > 1:
            where.append(f"row{'s' * (len(rows) > 1)} {numbers(rows)}")
        where.append(f"column{'s' * (len(columns) > 1)} {numbers(columns)}")
        text = f"{self.name} {', '.join(where)}"
        if not whole:
            text += f" ({len(self.addresses)} elements of these)"
        if self.scales:
            text += ", scale bytes"
        return text + (f" [{' or '.join(self.others)} at other times]" if self.others else "")


def label(tensor: NamedTensor | None, batch: int, head: int) -> str:
    """`O[1, 0]`: a tensor, its batch and its head, those of which there are several."""
    if tensor is None:
        return "(no tensor)"
    index = []
    if tensor.batches > 1:
        index.append(f"{batch}" if tensor.heads > 1 else f"batch {batch}")
    if tensor.heads > 1:
        index.append(f"{head}" if tensor.batches > 1 else f"head {head}")
    return f"{tensor.name}[{', '.join(index)}]" if index else tensor.name


def numbers(values: Addresses) -> str:
    """Distinct rising numbers in few words: `0-18`, `1, 5, 9, 13 (mod 4 = 1)`, `3, 7, 12, 20, 33, .. 61`."""
    if len(values) == 1:
        return str(values[0])
    steps = np.diff(values)
    if (steps == 1).all():
        return f"{values[0]}-{values[-1]}"
    shown = [str(value) for value in values]
    if len(shown) > _LISTED:
        shown = [*shown[: _LISTED - 1], "..", shown[-1]]
    text = ", ".join(shown).replace(", .., ", ", .. ")
    step = int(np.gcd.reduce(steps))
    if step > 1 and len(values) > 2:
        text += f" (mod {step} = {int(values[0]) % step})"
    return text


class Names:
    """The tensors of a run.

    Args:
        hw: the machine.
        tensors: what lies where, in the order in which it was placed.
        outputs: the words of the result, whose tensor is the first that words are looked for in.
    """

    def __init__(self, hw: Hardware, tensors: Sequence[NamedTensor], outputs: Iterable[Region]) -> None:
        self.hw = hw
        results = {(region.memory, region.name) for region in outputs}
        self.tensors = sorted(tensors, key=lambda tensor: (tensor.memory, tensor.name) not in results)

    def parts(self, memory: str, addresses: Addresses) -> list[Part]:
        """The words of a memory by tensor, batch and head; what has no name comes last."""
        found: list[Part] = []
        left = np.asarray(addresses, np.int64)
        here = [tensor for tensor in self.tensors if tensor.memory == memory]
        for tensor in here:
            mine = tensor.holds(left)
            if mine.any():
                others = tuple(
                    dict.fromkeys(
                        other.name
                        for other in here
                        if other is not tensor and other.name != tensor.name and other.holds(left[mine]).any()
                    )
                )
                found += _split(tensor, left[mine], others)
                left = left[~mine]
        if left.size:
            found.append(Part(None, 0, 0, left, left * 0, left * 0))
        return found

    def where(self, memory: str, addresses: Addresses) -> list[str]:
        """The words of a memory as lines of text."""
        return [part.text(self.hw, memory) for part in self.parts(memory, addresses)]

    def word(self, memory: str, address: int) -> str:
        """One word by its tensor: `O[1, 0] row 3, column 5`."""
        return self.where(memory, np.array([address]))[0]


def _split(tensor: NamedTensor, addresses: Addresses, others: tuple[str, ...]) -> list[Part]:
    """Words of one tensor by batch, head, and elements or scales."""
    elements = tensor.elements(addresses)
    keys = np.stack([elements.scales.astype(np.int64), elements.batch, elements.head])
    parts = []
    for scales, batch, head in np.unique(keys, axis=1).T:
        mine = (keys == np.array([scales, batch, head])[:, None]).all(axis=0)
        parts.append(
            Part(
                tensor,
                int(batch),
                int(head),
                addresses[mine],
                elements.row[mine],
                elements.column[mine],
                others,
                bool(scales),
            )
        )
    return parts
