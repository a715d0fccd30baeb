"""What is staged for a program and never read by it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plena_ref.machine.regions import Region
from plena_ref.machine.state import MemoryImages
from plena_ref.machine.tensors import NamedTensor
from tb.diagnosis.accesses import Accesses
from tb.diagnosis.names import Names

#: Lines about tensors; and the share of a tensor beyond which it is a table, not all of which is meant.
_MOST, _TABLE = 4, 0.75


def never_read(
    names: Names,
    accesses: Accesses,
    before: MemoryImages,
    written: Sequence[Region],
) -> list[str]:
    """Rows of staged tensors in VRAM and HBM that no instruction read, by name; padding rows do not count.

    Args:
        names: the tensors.
        accesses: of the whole run.
        before: memories before the run.
        written: the words that the program may write; tensors among them are no inputs.
    """
    results = {(region.memory, region.start) for region in written} | {
        (region.memory, region.name) for region in written
    }
    found: list[str] = []
    for tensor in names.tensors:
        ours = (tensor.memory, tensor.base) in results or (tensor.memory, tensor.name) in results
        if ours or tensor.memory not in ("vram", "hbm") or not _staged(tensor, before):
            continue
        addresses = tensor.addresses()
        was_read = accesses.was_read[tensor.memory][addresses]
        row = np.arange(tensor.rows)
        active = row % tensor.rows_per_batch < tensor.active_rows
        by_head = was_read.reshape(tensor.rows, -1, min(tensor.head_cols, tensor.cols)).any(axis=2)
        unread = ~by_head & active[:, None]
        if 0 < unread.sum() <= _TABLE * active.sum() * unread.shape[1]:
            missing = addresses[np.repeat(unread, addresses.shape[1] // unread.shape[1], axis=1)]
            found += names.where(tensor.memory, np.sort(missing))
    return found[:_MOST]


def _staged(tensor: NamedTensor, before: MemoryImages) -> bool:
    """Whether the host has written it."""
    poison = MemoryImages.poison(tensor.memory)
    return bool((getattr(before, tensor.memory)[tensor.base : tensor.base + tensor.words] != poison).any())
