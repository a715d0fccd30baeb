"""The tensors of a run as files of numpy: golden, result, and everything that has a name in a memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.state import MemoryImages
from plena_ref.machine.tensors import NamedTensor

#: Name of the folder in a run's.
TENSORS = "tensors"
#: Tensors in HBM of more elements have no file of their own: the images hold them.
MOST_IN_HBM = 1 << 18
_PLAIN = re.compile(r"[^A-Za-z0-9]+")


def file_names(tensors: Sequence[NamedTensor]) -> list[str]:
    """The name of each tensor's file, without its ending; the second of a name is `name~2`."""
    seen: dict[str, int] = {}
    names = []
    for tensor in tensors:
        plain = _PLAIN.sub("_", tensor.name).strip("_")
        seen[plain] = seen.get(plain, 0) + 1
        names.append(plain if seen[plain] == 1 else f"{plain}~{seen[plain]}")
    return names


def leave(
    folder: Path,
    tensors: Sequence[NamedTensor],
    after: MemoryImages,
    judged: dict[str, NDArray[np.float64]],
) -> None:
    """Write `tensors/<name>.npy` for every tensor as the run left it, and for what was judged.

    Args:
        folder: of the run.
        tensors: what lies where; each becomes [physical rows, physical columns].
        after: memories after the run; a dump of HBM may be shorter than the memory.
        judged: golden, result and bounds by name, batch x seq x heads x head_dim.
    """
    place = folder / TENSORS
    place.mkdir(exist_ok=True)
    for name, values in judged.items():
        np.save(place / f"{name}.npy", values)
    for tensor, name in zip(tensors, file_names(tensors), strict=True):
        end = max(tensor.base + tensor.words, tensor.scale_base + tensor.scale_words)
        inside = end <= len(getattr(after, tensor.memory))
        if inside and (tensor.memory != "hbm" or tensor.rows * tensor.cols <= MOST_IN_HBM):
            np.save(place / f"{name}.npy", tensor.values(after))
