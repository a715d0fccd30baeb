"""Where tensors lie: column-block-major VRAM tensors, batched slabs, HBM tensors with MX scales.

A VRAM tensor of physical shape (R, C) at `base` keeps element (r, c) at
`base + (c div MLEN)*R*MLEN + r*MLEN + c mod MLEN`. A view never changes R: the distance between two
column blocks belongs to the parent tensor. Specified in docs/isa.md (HBM tensors) and docs/kernels.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from plena_ref.machine.hardware import Hardware

#: Element and scale bytes of an HBM tensor are each padded to this many bytes.
HBM_PADDING_BYTES = 32


class LayoutError(ValueError):
    """A tensor that breaks a placement rule or does not fit; the message names the rule."""


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is not below `value`."""
    return -(-value // multiple) * multiple


@dataclass(frozen=True)
class Region:
    """Words start..stop-1 of one memory (`vram`, `msram`, `fpmem`, `intmem` or `hbm`), with a name."""

    memory: str
    start: int
    stop: int
    name: str


@dataclass(frozen=True)
class VramTensor:
    """A column-block-major tensor, or a view of one, in vector SRAM.

    Attributes:
        name: for listings and messages.
        base: element address of element (0, 0), a multiple of MLEN.
        rows, cols: logical shape.
        physical_rows: rows between two column blocks; a view keeps its parent's.
        mlen: row length of the machine, elements.
    """

    name: str
    base: int
    rows: int
    cols: int
    physical_rows: int
    mlen: int

    def __post_init__(self) -> None:
        """Check the placement rules."""
        if self.base % self.mlen:
            raise LayoutError(f"{self.name}: base {self.base} is not a multiple of MLEN = {self.mlen}")
        if not 1 <= self.rows <= self.physical_rows:
            raise LayoutError(f"{self.name}: {self.rows} rows do not fit {self.physical_rows} physical rows")
        if self.cols < 1:
            raise LayoutError(f"{self.name}: needs at least one column")

    @property
    def column_blocks(self) -> int:
        """Number of MLEN-wide column blocks."""
        return -(-self.cols // self.mlen)

    @property
    def physical_cols(self) -> int:
        """Columns including the padding of the last block."""
        return self.column_blocks * self.mlen

    @property
    def block_stride(self) -> int:
        """Elements between the same row of two neighbouring column blocks."""
        return self.physical_rows * self.mlen

    @property
    def elems(self) -> int:
        """Elements of the physical tensor."""
        return self.physical_rows * self.physical_cols

    def address(self, row: int, col: int = 0) -> int:
        """Element address of (row, col); both may run over the physical shape."""
        if not (0 <= row < self.physical_rows and 0 <= col < self.physical_cols):
            shape = f"{self.physical_rows} x {self.physical_cols}"
            raise LayoutError(f"{self.name}: ({row}, {col}) is outside {shape}")
        return self.base + col // self.mlen * self.block_stride + row * self.mlen + col % self.mlen

    def addresses(self, rows: np.ndarray | None = None, cols: int | None = None) -> np.ndarray:
        """Element addresses (int64, len(rows) x cols) of the given rows; default: the logical shape."""
        row = np.arange(self.rows) if rows is None else np.asarray(rows)
        col = np.arange(self.cols if cols is None else cols)
        in_row = col // self.mlen * self.block_stride + col % self.mlen
        return self.base + row.astype(np.int64)[:, None] * self.mlen + in_row[None, :]

    def row_view(self, first: int, rows: int) -> VramTensor:
        """Rows first..first+rows-1 of this tensor, at its physical height."""
        return replace(self, base=self.address(first), rows=rows)

    def column_view(self, first: int, cols: int) -> VramTensor:
        """Columns first..first+cols-1 of this tensor; `first` must begin a column block."""
        if first % self.mlen:
            raise LayoutError(f"{self.name}: a column view at {first} begins no block of MLEN = {self.mlen}")
        return replace(self, base=self.address(0, first), cols=cols)

    def row_regions(self, first: int, rows: int) -> list[Region]:
        """The VRAM words of rows first..first+rows-1, a region a column block, padding columns included."""
        starts = [self.address(first, block * self.mlen) for block in range(self.column_blocks)]
        return [Region("vram", start, start + rows * self.mlen, self.name) for start in starts]


@dataclass(frozen=True)
class BatchedVram:
    """A VRAM tensor whose rows belong to several batches: batch b owns rows b*rows_per_batch .. +seq.

    Attributes:
        parent: the whole tensor; its physical height spans all batches.
        batch: number of batches.
        seq: active rows of a batch.
        rows_per_batch: rows between two batches: a multiple of MLEN (slabs), or seq (packed).
    """

    parent: VramTensor
    batch: int
    seq: int
    rows_per_batch: int

    def __post_init__(self) -> None:
        """Check that the batches fit the parent."""
        name, step = self.parent.name, self.rows_per_batch
        if step < self.seq:
            raise LayoutError(f"{name}: rows_per_batch {step} is below seq {self.seq}")
        if (self.batch - 1) * step + self.seq > self.parent.physical_rows:
            raise LayoutError(f"{name}: {self.batch} batches of {step} rows do not fit")

    @property
    def batch_stride(self) -> int:
        """Elements from a row of one batch to the same row of the next: whole rows, in every column block."""
        return self.rows_per_batch * self.parent.mlen

    def batch_view(self, index: int) -> VramTensor:
        """The active rows of one batch; column blocks stay as far apart as in the parent."""
        return replace(
            self.parent,
            base=self.parent.base + index * self.batch_stride,
            rows=self.seq,
            physical_rows=self.parent.physical_rows,
        )

    @property
    def active_rows(self) -> np.ndarray:
        """Physical row numbers (int64, batch*seq) of the active rows, in batch order."""
        return (np.arange(self.batch)[:, None] * self.rows_per_batch + np.arange(self.seq)).reshape(-1)

    def store(self, vram: np.ndarray, values: np.ndarray) -> None:
        """Write raw bf16 `values` (uint16, batch x n x cols) into rows 0..n-1 of each batch."""
        batch, rows, cols = values.shape
        if batch != self.batch or rows > self.rows_per_batch or cols > self.parent.physical_cols:
            raise LayoutError(f"{self.parent.name}: values {values.shape} do not fit its slabs")
        physical = (np.arange(batch)[:, None] * self.rows_per_batch + np.arange(rows)).reshape(-1)
        vram[self.parent.addresses(physical, cols)] = values.reshape(batch * rows, cols)

    def active_regions(self) -> list[Region]:
        """The VRAM words of the active rows, padding columns included."""
        regions: list[Region] = []
        for index in range(self.batch):
            regions += self.parent.row_regions(index * self.rows_per_batch, self.seq)
        return regions


@dataclass(frozen=True)
class HbmTensor:
    """A tensor in HBM: element bytes row-major over the physical columns, directly followed by scale bytes.

    Attributes:
        name: for listings and messages.
        base: byte address.
        rows, cols: physical shape; cols is a multiple of `mx_block`.
        mx_block: elements that share a scale byte.
    """

    name: str
    base: int
    rows: int
    cols: int
    mx_block: int

    def __post_init__(self) -> None:
        """Check the block rule."""
        if self.cols % self.mx_block:
            rule = f"not a multiple of MX_BLOCK = {self.mx_block}"
            raise LayoutError(f"{self.name}: {self.cols} columns are {rule}")

    @property
    def elems(self) -> int:
        """Elements, and element bytes."""
        return self.rows * self.cols

    @property
    def scale_offset(self) -> int:
        """Bytes from the base to the first scale byte: what SCALE holds for this tensor."""
        return self.elems

    @property
    def footprint(self) -> int:
        """Bytes that the tensor takes, both parts padded (docs/isa.md section 6)."""
        scales = self.elems // self.mx_block
        return round_up(self.elems, HBM_PADDING_BYTES) + round_up(scales, HBM_PADDING_BYTES)

    def offset(self, row: int, col: int = 0) -> int:
        """Byte offset of element (row, col) from the base."""
        if not (0 <= row < self.rows and 0 <= col < self.cols):
            raise LayoutError(f"{self.name}: ({row}, {col}) is outside {self.rows} x {self.cols}")
        return row * self.cols + col

    def store(self, hbm: np.ndarray, elements: np.ndarray, scales: np.ndarray) -> None:
        """Write elements (uint8, rows x cols) and scales (uint8, rows x cols/mx_block) into `hbm`."""
        shape = (self.rows, self.cols)
        if elements.shape != shape or scales.shape != (self.rows, self.cols // self.mx_block):
            raise LayoutError(f"{self.name}: bytes of shape {elements.shape} and {scales.shape} do not fit")
        first_scale = self.base + self.scale_offset
        hbm[self.base : self.base + self.elems] = elements.reshape(-1)
        hbm[first_scale : first_scale + scales.size] = scales.reshape(-1)


def hbm_alignment(hw: Hardware) -> int:
    """Alignment of an HBM tensor's base in bytes: MLEN, from MLEN 256 on MLEN^2 (docs/isa.md section 6)."""
    return hw.tile_elems if hw.mlen >= 256 else hw.mlen


class VramAllocator:
    """Hands out whole VRAM rows from row 0 upwards.

    Raises:
        LayoutError: the memory is full.
    """

    def __init__(self, hw: Hardware) -> None:
        self._hw = hw
        self.next_free = 0

    def tensor(self, name: str, rows: int, cols: int, physical_rows: int | None = None) -> VramTensor:
        """A new tensor of logical shape rows x cols; columns are padded to whole blocks."""
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

    def tensor(self, name: str, rows: int, cols: int) -> HbmTensor:
        """A new tensor of physical shape rows x cols."""
        base = round_up(self.next_free, hbm_alignment(self._hw))
        tensor = HbmTensor(name, base, rows, cols, self._hw.mx_block)
        if base + tensor.footprint > self._hw.hbm_bytes:
            raise LayoutError(
                f"HBM is full: {name} needs {tensor.footprint} bytes at {base}, "
                f"HBM_BYTES = {self._hw.hbm_bytes}"
            )
        self.next_free = base + tensor.footprint
        return tensor


@dataclass(frozen=True)
class ComparisonParameters:
    """Which VRAM words hold a result, in the terms of PLENA's verifier.

    The golden is compact: `num_batches` rows (batch*seq) of `elements_per_batch` columns. The VRAM result is
    a column-block-major tensor in which batch b begins at row b*rows_per_batch; padding is never compared.

    Attributes:
        start_row_idx: VRAM row of the result's first row.
        num_rows: VRAM rows that the whole physical tensor takes.
        num_batches: active rows, batch*seq.
        elements_per_batch: columns of a physical row, column padding included.
        row_dim: elements of a VRAM row, MLEN.
        physical_rows: rows between two column blocks.
        use_stride_mode: a result row is spread over several column blocks.
        rows_per_batch: rows between two batches.
        active_seq_per_batch: active rows of a batch.
    """

    start_row_idx: int
    num_rows: int
    num_batches: int
    elements_per_batch: int
    row_dim: int
    physical_rows: int
    use_stride_mode: bool
    rows_per_batch: int
    active_seq_per_batch: int

    @classmethod
    def of(cls, tensor: BatchedVram) -> ComparisonParameters:
        """The parameters that describe a batched result."""
        parent = tensor.parent
        return cls(
            start_row_idx=parent.base // parent.mlen,
            num_rows=parent.elems // parent.mlen,
            num_batches=tensor.batch * tensor.seq,
            elements_per_batch=parent.physical_cols,
            row_dim=parent.mlen,
            physical_rows=parent.physical_rows,
            use_stride_mode=parent.column_blocks > 1,
            rows_per_batch=tensor.rows_per_batch,
            active_seq_per_batch=tensor.seq,
        )

    @property
    def batch(self) -> int:
        """Number of batches."""
        return self.num_batches // self.active_seq_per_batch

    def extract(self, vram: np.ndarray) -> np.ndarray:
        """The active rows of `vram` (uint16) as a compact num_batches x elements_per_batch array."""
        rows = vram.reshape(-1, self.row_dim)[self.start_row_idx : self.start_row_idx + self.num_rows]
        blocks = rows.reshape(-1, self.physical_rows, self.row_dim)
        dense = blocks.transpose(1, 0, 2).reshape(self.physical_rows, self.elements_per_batch)
        batch, row = np.divmod(np.arange(self.num_batches), self.active_seq_per_batch)
        return dense[batch * self.rows_per_batch + row]


def remap_rows(compact: np.ndarray, seq: int, rows_per_batch: int, fill: int = 0) -> np.ndarray:
    """Put packed rows (batch*seq x cols) back at `rows_per_batch` stride; the other rows hold `fill`.

    This is what a decoder does to an attention output whose batches are packed at seq stride before the next
    operator reads it as slabs.

    Raises:
        LayoutError: seq does not divide the rows, or exceeds rows_per_batch.
    """
    rows, cols = compact.shape
    if rows % seq or seq > rows_per_batch:
        raise LayoutError(f"cannot remap {rows} rows of seq {seq} to slabs of {rows_per_batch}")
    slabs = np.full((rows // seq, rows_per_batch, cols), fill, dtype=compact.dtype)
    slabs[:, :seq] = compact.reshape(-1, seq, cols)
    return slabs.reshape(-1, cols)


def region_mask(regions: Iterable[Region], memory: str, size: int) -> np.ndarray:
    """Boolean array of `size` words, true where some region of `memory` covers the word."""
    mask = np.zeros(size, dtype=bool)
    for region in regions:
        if region.memory == memory:
            mask[region.start : region.stop] = True
    return mask
