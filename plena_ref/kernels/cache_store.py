"""Rows of K or V of new positions go to their places in a cache in HBM, as MXFP8.

H_STORE_V writes VSTORE rows at a time. Groups of VSTORE new positions go straight from where they lie; what
is left of a batch goes by way of a scratch tensor whose other rows are zeros. So the rows of the cache after
the last new position, up to a whole store, become zeros; they belong to the same batch, for which
`cache_rows_per_batch` leaves room.
"""

from __future__ import annotations

from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import GP0, Program, Register
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region


def cache_rows_per_batch(hw: Hardware, positions: int) -> int:
    """Rows of a cache from batch to batch: whole key tiles, and a store at the last position fits."""
    return round_up(positions + hw.vstore - 1, hw.mlen)


class CacheStore:
    """K or V of new positions, from VRAM to its cache.

    Args:
        hw: the machine.
        rows: batch x new positions, heads side by side; padding columns hold finite numbers. Batches may be
            packed or in slabs.
        cache: batches one below the other, as many columns as `rows` has with its padding.
        rows_per_batch: rows of the cache from batch to batch.
        position: of the first new row in its batch.
        room: where to take scratch from.

    Raises:
        KernelError: the new positions do not fit the cache.
        LayoutError: a memory is full.
    """

    def __init__(
        self,
        hw: Hardware,
        rows: BatchedVram,
        cache: HbmTensor,
        rows_per_batch: int,
        position: int,
        room: Room,
    ) -> None:
        self.hw, self.rows, self.cache = hw, rows, cache
        self.rows_per_batch, self.position = rows_per_batch, position
        end = position + round_up(rows.seq, hw.vstore)
        if position < 0 or end > rows_per_batch or rows.batch * rows_per_batch > cache.rows:
            raise KernelError(
                f"{cache.name}: {rows.batch} caches of {rows_per_batch} rows in {cache.rows} do not hold "
                f"{rows.seq} positions from {position} on, with zeros up to VSTORE = {hw.vstore} rows"
            )
        if cache.form != hw.hbm_format("v", 0):
            raise KernelError(f"{cache.name}: HBM_BF16 = {hw.hbm_bf16} must hold m0 and v0 alike")
        if cache.cols != rows.parent.physical_cols:
            raise KernelError(
                f"{cache.name} has {cache.cols} columns, {rows.parent.name} {rows.parent.physical_cols}"
            )
        self.full, self.rest = divmod(rows.seq, hw.vstore)
        self.last: VramTensor | None = None
        if self.rest:
            self.last = room.vram.tensor(f"last rows of {cache.name}", hw.vstore, cache.cols)

    @property
    def title(self) -> str:
        """What it does."""
        first, last = self.position, self.position + self.rows.seq - 1
        return f"{self.rows.parent.name} to the cache {self.cache.name}, positions {first} to {last}"

    def outputs(self) -> list[Region]:
        """Elements and scales of the new positions, and of the zeros after them."""
        cache, regions = self.cache, []
        rows = round_up(self.rows.seq, self.hw.vstore)
        for batch in range(self.rows.batch):
            first = batch * self.rows_per_batch + self.position
            start, stop = (cache.base + row * cache.row_bytes for row in (first, first + rows))
            regions.append(Region("hbm", start, stop, cache.name))
            scales, cols = cache.base + cache.scale_offset, cache.form.scale_bytes(cache.row_bytes)
            start, stop = (scales + row * cols for row in (first, first + rows))
            regions.append(Region("hbm", start, stop, f"scales of {cache.name}"))
        return regions

    def scratch(self) -> list[Region]:
        """What is copied on the way."""
        return self.last.row_regions(0, self.hw.vstore) if self.last else []

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        with p.hbm_base(self.cache.name) as base:
            p.set_hbm_base(base, self.cache.base, self.cache.name)
            with p.gp("a control register") as value:
                p.load_constant(value, self.cache.scale_offset)
                p.C_SET_SCALE_REG(value)
                p.load_constant(value, self.cache.row_bytes)
                p.C_SET_STRIDE_REG(value)
            if self.full:
                self._store_full(p, base)
            if self.last is not None:
                self._clear_last(p, self.last)
                self._store_last(p, self.last, base)

    def _store_full(self, p: Program, base: Register) -> None:
        """All groups of VSTORE rows, a column block at a time."""
        view, vstore, mlen = self.rows.batch_view(0), self.hw.vstore, self.hw.mlen
        with p.gp("new rows") as source, p.gp("HBM offset") as offset:
            for block in range(view.column_blocks):
                p.point(source, view, 0, block * mlen)
                p.load_constant(offset, self.cache.offset(self.position, block * mlen))
                with p.repeat(self.rows.batch, f"batches, column block {block}"):
                    with p.repeat(self.full, "VSTORE positions at a time"):
                        p.H_STORE_V(source, offset, base, 1, 0)
                        p.add(source, source, vstore * mlen)
                        p.add(offset, offset, vstore * self.cache.row_bytes)
                    done = self.full * vstore
                    p.add(source, source, self.rows.batch_stride - done * mlen)
                    p.add(offset, offset, (self.rows_per_batch - done) * self.cache.row_bytes)

    def _clear_last(self, p: Program, last: VramTensor) -> None:
        """Rows after the last new position are 0."""
        if self.rest == self.hw.vstore:
            return
        with p.gp("row of zeros") as row, p.gp("shift distance") as distance:
            p.load_constant(distance, self.hw.mlen)
            for block in range(last.column_blocks):
                p.point(row, last, self.rest, block * self.hw.mlen)
                with p.repeat(self.hw.vstore - self.rest, "zeros after the last position"):
                    p.V_SHFT_V(row, row, distance)
                    p.add(row, row, self.hw.mlen)

    def _store_last(self, p: Program, last: VramTensor, base: Register) -> None:
        """What is left of each batch, by way of the scratch tensor."""
        view, cache, mlen = self.rows.batch_view(0), self.cache, self.hw.mlen
        done = self.full * self.hw.vstore
        with p.gps("first of the last rows", "HBM offset") as (first, offset):
            p.point(first, view, done)
            p.load_constant(offset, cache.offset(self.position + done))
            with p.repeat(self.rows.batch, f"batches: the last {self.rest} positions"):
                with p.gps("new row", "its copy") as (source, copy):
                    for block in range(view.column_blocks):
                        p.add(source, first, block * view.block_stride)
                        p.point(copy, last, 0, block * mlen)
                        with p.repeat(self.rest, f"column block {block}"):
                            p.V_SHFT_V(copy, source, GP0)
                            p.add(source, source, mlen)
                            p.add(copy, copy, mlen)
                        p.point(copy, last, 0, block * mlen)
                        p.H_STORE_V(copy, offset, base, 1, 0)
                        p.add(offset, offset, cache.span(mlen))
                p.add(first, first, self.rows.batch_stride)
                p.add(offset, offset, (self.rows_per_batch - 1) * cache.row_bytes)
