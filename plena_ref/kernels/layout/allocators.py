"""Who hands out the room of each memory, upwards from its first word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.hbm import HbmLast, HbmTensor, hbm_alignment
from plena_ref.kernels.layout.rules import LayoutError, round_up
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.machine.hardware import HBM_BEAT_BYTES, Hardware
from plena_ref.machine.hbm_format import HbmFormat
from plena_ref.machine.tensors import NamedTensor, plain

_Tensor = TypeVar("_Tensor", bound=HbmTensor)
#: What moves a tensor between HBM and the chip: memory and precision, as of `Hardware.hbm_format`.
Transfers = Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Batches:
    """What a tensor in HBM is made of: rows from batch to batch, active rows of each, columns of a head."""

    rows_per_batch: int
    active_rows: int
    head_cols: int


class Lifetimes:
    """What is free of a memory; scratch is free again when its scope ends.

    Attributes:
        next_free: the first word that is free.
        placed: everything that was handed out, in order; scratch may lie where other scratch lay.
    """

    next_free = 0

    def __init__(self) -> None:
        self.placed: list[NamedTensor] = []
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
        self._key = memory.replace("_", "").lower()

    def take(self, name: str, words: int) -> int:
        """The first of `words` words; of none, nothing is placed."""
        self.check_lifetime(name)
        first = self.next_free
        if first + words > self._size:
            raise LayoutError(
                f"{self._memory} is full: {name} needs {words} words at {first}, "
                f"{self._parameter} = {self._size}"
            )
        self.next_free = first + words
        if words:
            self.placed.append(plain(name, self._key, first, 1, words))
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
        height, width = tensor.physical_rows, tensor.physical_cols
        self.placed.append(
            NamedTensor(name, "vram", tensor.base, height, width, self._hw.mlen, height, rows, width)
        )
        return tensor

    def slabs(self, name: str, batch: int, seq: int, cols: int, head_cols: int | None = None) -> BatchedVram:
        """A batched tensor with every batch in a slab of whole MLEN rows; `head_cols` names its heads."""
        rows_per_batch = round_up(seq, self._hw.mlen)
        parent = self.tensor(name, batch * rows_per_batch, cols)
        return self._batched(BatchedVram(parent, batch, seq, rows_per_batch), head_cols)

    def packed(self, name: str, batch: int, seq: int, cols: int, head_cols: int | None = None) -> BatchedVram:
        """A batched tensor with the batches' rows one after the other, its height padded to whole slabs."""
        rows = batch * seq
        parent = self.tensor(name, rows, cols, round_up(rows, self._hw.mlen))
        return self._batched(BatchedVram(parent, batch, seq, seq), head_cols)

    def _batched(self, tensor: BatchedVram, head_cols: int | None) -> BatchedVram:
        """Note the batches and heads of the tensor that was handed out last."""
        last = self.placed[-1]
        self.placed[-1] = replace(
            last,
            rows_per_batch=tensor.rows_per_batch,
            active_rows=tensor.seq,
            head_cols=head_cols or last.cols,
        )
        return tensor


class HbmAllocator:
    """Hands out HBM bytes upwards from `start`, bases rounded as docs/isa.md, "HBM instructions", says.

    Raises:
        LayoutError: the memory is full.
    """

    def __init__(self, hw: Hardware, start: int = 0) -> None:
        self._hw = hw
        self.next_free = start
        self.placed: list[NamedTensor] = []
        self._last: str | None = None

    def tensor(
        self,
        name: str,
        rows: int,
        cols: int,
        transfers: Transfers = (("m", 0),),
        batches: Batches | None = None,
    ) -> HbmTensor:
        """A new tensor of physical shape rows x cols.

        Args:
            name, rows, cols: as of `HbmTensor`.
            transfers: what moves it, as memory and precision; see `Hardware.hbm_format`.
            batches: what its rows and columns are, for its name in reports; None: one batch, one head.
        """
        form = self._form(name, transfers)
        return self._take(HbmTensor(name, self._base(form), rows, cols, form), batches)

    def last_tensor(self, name: str, rows: int, cols: int, transfers: Transfers = (("m", 0),)) -> HbmLast:
        """The tensor that ends where LIMIT will lie, at the end of a beat; nothing can be placed after it."""
        form = self._form(name, transfers)
        base = self._base(form)
        unit = max(HBM_BEAT_BYTES, form.alignment)
        room = -(base + HbmLast(name, base, rows, cols, form).footprint) % unit
        # Without scales it is the elements that end there.
        base, gap = (base + room, 0) if form.bf16 else (base, room)
        tensor = self._take(HbmLast(name, base, rows, cols, form, gap))
        self._last = name
        return tensor

    def _form(self, name: str, transfers: Transfers) -> HbmFormat:
        """How a tensor lies that these transfers move."""
        form, *others = (self._hw.hbm_format(memory, precision) for memory, precision in transfers)
        if any(other != form for other in others):
            names = " and ".join(f"{memory}{precision}" for memory, precision in transfers)
            raise LayoutError(f"{name}: HBM_BF16 = {self._hw.hbm_bf16} must hold {names} alike")
        return form

    def _base(self, form: HbmFormat) -> int:
        """Where the next tensor of this form begins."""
        return round_up(self.next_free, max(hbm_alignment(self._hw), form.alignment))

    def _take(self, tensor: _Tensor, batches: Batches | None = None) -> _Tensor:
        """`tensor` in its place, if there is room."""
        if self._last is not None:
            raise LayoutError(f"{tensor.name}: nothing lies in HBM after {self._last}, which ends at LIMIT")
        if tensor.base + tensor.footprint > self._hw.hbm_bytes:
            raise LayoutError(
                f"HBM is full: {tensor.name} needs {tensor.footprint} bytes at {tensor.base}, "
                f"HBM_BYTES = {self._hw.hbm_bytes}"
            )
        self.next_free = tensor.base + tensor.footprint
        parts = batches or Batches(tensor.rows, tensor.rows, tensor.cols)
        self.placed.append(
            NamedTensor(
                name=tensor.name,
                memory="hbm",
                base=tensor.base,
                rows=tensor.rows,
                cols=tensor.cols,
                block_cols=tensor.cols,
                rows_per_batch=parts.rows_per_batch,
                active_rows=parts.active_rows,
                head_cols=parts.head_cols,
                form=tensor.form,
                scale_base=tensor.base + tensor.scale_offset,
            )
        )
        return tensor
