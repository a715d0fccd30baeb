"""Who hands out the room of each memory, upwards from its first word."""

from __future__ import annotations

from typing import TypeVar

from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.hbm import HbmLast, HbmTensor, hbm_alignment
from plena_ref.kernels.layout.rules import LayoutError, round_up
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.machine.hardware import HBM_BEAT_BYTES, Hardware

_Tensor = TypeVar("_Tensor", bound=HbmTensor)


class Lifetimes:
    """What is free of a memory; scratch is free again when its scope ends.

    Attributes:
        next_free: the first word that is free.
    """

    next_free = 0

    def __init__(self) -> None:
        self._marks: list[int] = []
        self._reused = False

    def open_scratch(self) -> None:
        """What is taken from now on is scratch."""
        self._marks.append(self.next_free)

    def close_scratch(self) -> None:
        """The scratch of the innermost scope is free again."""
        self.next_free = self._marks.pop()
        self._reused = True

    def check_lifetime(self, name: str) -> None:
        """Refuse what would outlive the scratch whose words it takes.

        Raises:
            LayoutError: it is no scratch, and scratch has been here before.
        """
        if self._reused and not self._marks:
            raise LayoutError(f"{name}: what lives as long as the program is placed before any scratch")


class WordAllocator(Lifetimes):
    """Hands out words of FP_MEM or INT_MEM.

    Args:
        memory, parameter: the memory's name, and that of its size.
        size: words.

    Raises:
        LayoutError: the memory is full.
    """

    def __init__(self, memory: str, parameter: str, size: int) -> None:
        super().__init__()
        self._memory, self._parameter, self._size = memory, parameter, size

    def take(self, name: str, words: int) -> int:
        """The first of `words` words."""
        self.check_lifetime(name)
        first = self.next_free
        if first + words > self._size:
            raise LayoutError(
                f"{self._memory} is full: {name} needs {words} words at {first}, "
                f"{self._parameter} = {self._size}"
            )
        self.next_free = first + words
        return first


class VramAllocator(Lifetimes):
    """Hands out whole VRAM rows.

    Raises:
        LayoutError: the memory is full.
    """

    def __init__(self, hw: Hardware) -> None:
        super().__init__()
        self._hw = hw

    def tensor(self, name: str, rows: int, cols: int, physical_rows: int | None = None) -> VramTensor:
        """A new tensor of logical shape rows x cols; columns are padded to whole blocks."""
        self.check_lifetime(name)
        tensor = VramTensor(name, self.next_free, rows, cols, physical_rows or rows, self._hw.mlen)
        if tensor.base + tensor.elems > self._hw.vram_elems:
            raise LayoutError(
                f"VRAM is full: {name} needs {tensor.elems} elements at {tensor.base}, "
                f"VRAM_ELEMS = {self._hw.vram_elems}"
            )
        self.next_free += tensor.elems
        return tensor

    def slabs(self, name: str, batch: int, seq: int, cols: int) -> BatchedVram:
        """A batched tensor with every batch in a slab of whole MLEN rows."""
        rows_per_batch = round_up(seq, self._hw.mlen)
        parent = self.tensor(name, batch * rows_per_batch, cols)
        return BatchedVram(parent, batch, seq, rows_per_batch)

    def packed(self, name: str, batch: int, seq: int, cols: int) -> BatchedVram:
        """A batched tensor with the batches' rows one behind the other, its height padded to whole slabs."""
        rows = batch * seq
        parent = self.tensor(name, rows, cols, round_up(rows, self._hw.mlen))
        return BatchedVram(parent, batch, seq, seq)


class HbmAllocator:
    """Hands out HBM bytes upwards from `start`, bases rounded as docs/isa.md section 6 says.

    Raises:
        LayoutError: the memory is full.
    """

    def __init__(self, hw: Hardware, start: int = 0) -> None:
        self._hw = hw
        self.next_free = start
        self._last: str | None = None

    def tensor(self, name: str, rows: int, cols: int) -> HbmTensor:
        """A new tensor of physical shape rows x cols."""
        base = round_up(self.next_free, hbm_alignment(self._hw))
        return self._take(HbmTensor(name, base, rows, cols, self._hw.mx_block))

    def last_tensor(self, name: str, rows: int, cols: int) -> HbmLast:
        """The tensor that ends where LIMIT will lie, at the end of a beat; nothing can be placed after it."""
        base, block = round_up(self.next_free, hbm_alignment(self._hw)), self._hw.mx_block
        gap = -(base + HbmLast(name, base, rows, cols, block).footprint) % HBM_BEAT_BYTES
        tensor = self._take(HbmLast(name, base, rows, cols, block, gap))
        self._last = name
        return tensor

    def _take(self, tensor: _Tensor) -> _Tensor:
        """`tensor` in its place, if there is room."""
        if self._last is not None:
            raise LayoutError(f"{tensor.name}: nothing lies in HBM after {self._last}, which ends at LIMIT")
        if tensor.base + tensor.footprint > self._hw.hbm_bytes:
            raise LayoutError(
                f"HBM is full: {tensor.name} needs {tensor.footprint} bytes at {tensor.base}, "
                f"HBM_BYTES = {self._hw.hbm_bytes}"
            )
        self.next_free = tensor.base + tensor.footprint
        return tensor
