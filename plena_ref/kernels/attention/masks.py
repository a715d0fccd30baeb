"""Mask tensors: tiles of 0 where a query sees a key and of -inf where it does not, made in VRAM."""

from __future__ import annotations

from collections.abc import Sequence

from plena_ref.kernels.attention.tiling import Mask, QueryTile
from plena_ref.kernels.layout.allocators import VramAllocator
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import F0, GP0, Program, Register
from plena_ref.machine.hardware import Hardware

#: Rows of a triangle that a loop makes at a time.
ROWS_TOGETHER = 4


class MaskTensors:
    """One tensor for each shape that the hidden part of a tile has, and the rows that they are made from.

    Args:
        hw: the machine.
        tiles: the query tiles of a head.
        rows: rows of a mask that is not the same for all rows.
        staged: scores under a mask lie apart until the mask is added, so that blocks of BLEN by BLEN of which
            no row sees anything need not be computed: they are 0 once and for all.
        vram: where to place them.

    Attributes:
        tensors: by mask.
        staged: where the scores of a tile lie before its mask is added, by mask; as far as it hides blocks.
    """

    def __init__(
        self, hw: Hardware, tiles: Sequence[QueryTile], rows: int, staged: bool, vram: VramAllocator
    ) -> None:
        mlen = self.mlen = hw.mlen
        self.blen = hw.blen
        masks = dict.fromkeys(
            mask for tile in tiles for key in tile.key_tiles if (mask := key.mask(mlen)) is not None
        )
        self.tensors = {
            mask: vram.tensor(f"mask {number}", 1 if mask.uniform else rows, mlen)
            for number, mask in enumerate(masks)
        }
        self.staged = {
            mask: vram.tensor(f"scores under mask {number}", round_up(rows, hw.blen), mlen)
            for number, mask in enumerate(masks)
            if staged and self.visible_blocks(mask, 0) < mlen // hw.blen
        }
        self.hidden = vram.tensor("hidden", 1, mlen) if masks else None
        windows = any(mask.low is not None for mask in masks)
        self.ones = vram.tensor("ones", 1, mlen) if windows else None
        self.before_window = vram.tensor("before window", 1, mlen) if windows else None

    def visible_blocks(self, mask: Mask, group: int) -> int:
        """Blocks of BLEN columns, from the first on, of which a group of BLEN rows may see some."""
        if mask.uniform:
            return -(-mask.keys // self.blen)
        if mask.low is None and mask.shift == 0:
            return group + 1
        return self.mlen // self.blen

    def scratch(self) -> list[VramTensor | None]:
        """Everything that is written to make them, and the scores under them."""
        rows = [self.hidden, self.ones, self.before_window]
        return [*rows, *self.tensors.values(), *self.staged.values()]

    def emit(self, p: Program, minus_inf_word: int) -> None:
        """Write the masks; FP_MEM[minus_inf_word] is what hides a score."""
        if self.hidden is None:
            return
        mlen = self.mlen
        p.comment("a row of -inf; shifted by n it hides columns n and up")
        with p.gp("the hidden row") as hidden, p.gp("columns") as columns, p.gp("mask row") as row:
            p.point(hidden, self.hidden)
            p.load_constant(columns, mlen)
            p.V_SHFT_V(hidden, hidden, columns, comment="zeros, whatever was shifted out")
            if self.ones is not None:
                p.point(row, self.ones)
                p.V_EXP_V(row, hidden, comment="ones")
            with p.fp("-inf") as minus_inf:
                p.S_LD_FP(minus_inf, GP0, minus_inf_word)
                p.V_ADD_VF(hidden, hidden, minus_inf)
            for mask, tensor in self.tensors.items():
                p.point(row, tensor)
                self._hide_after(p, mask, tensor.rows, row, hidden, columns)
                if mask.low is not None:
                    self._hide_before(p, mask.low, tensor, row, columns)
            for mask, tensor in self.staged.items():
                self._clear(p, mask, tensor, row)

    def _clear(self, p: Program, mask: Mask, tensor: VramTensor, row: Register) -> None:
        """Zeros in the blocks of staged scores that are never computed: nothing is in the accumulators."""
        p.comment(f"{tensor.name}: blocks that nobody sees are 0")
        for group in range(tensor.rows // self.blen):
            p.point(row, tensor, group * self.blen)
            for block in range(self.visible_blocks(mask, group), self.mlen // self.blen):
                p.M_MM_WO(row, GP0, block * self.blen)

    def _hide_after(
        self, p: Program, mask: Mask, rows: int, row: Register, hidden: Register, columns: Register
    ) -> None:
        """Mask rows with -inf in the columns past i+shift, or from `keys` on; `row` and `columns` move."""
        mlen = self.mlen
        if mask.shift is None:
            p.load_constant(columns, mask.keys)
            with p.repeat(rows, f"hides columns {mask.keys} and up"):
                p.V_SHFT_V(row, hidden, columns)
                if not mask.uniform:
                    p.add(row, row, mlen)
            return
        blind = max(0, -mask.shift)
        if blind:
            p.load_constant(columns, 0)
            with p.repeat(blind, "rows that see no column"):
                p.V_SHFT_V(row, hidden, columns)
                p.add(row, row, mlen)
        p.load_constant(columns, blind + mask.shift + 1)
        left = rows - blind
        for passes, count in ((left // ROWS_TOGETHER, ROWS_TOGETHER), (1, left % ROWS_TOGETHER)):
            if passes * count:
                with p.repeat(passes, f"triangle: row i sees columns 0..i{mask.shift:+d}"):
                    for _ in range(count):
                        p.V_SHFT_V(row, hidden, columns)
                        p.add(row, row, mlen)
                        p.add(columns, columns, 1)

    def _hide_before(
        self, p: Program, low: int, tensor: VramTensor, row: Register, columns: Register
    ) -> None:
        """Add -inf to the columns before i+low of the mask's rows.

        Ones shifted by n are 0 in columns 0..n-1; 1 - 1/x of that is -inf there and 0 after.
        """
        mlen = self.mlen
        first = max(0, -low)
        assert self.ones is not None and self.before_window is not None
        with p.gp("ones") as ones, p.gp("before window") as before, p.fp("1.0") as one:
            p.point(row, tensor, first)
            p.point(ones, self.ones)
            p.point(before, self.before_window)
            p.S_EXP_FP(one, F0)
            p.load_constant(columns, first + low)
            with p.repeat(tensor.rows - first, f"window: row i sees columns i{low:+d} and up"):
                p.V_SHFT_V(before, ones, columns)
                p.V_RECI_V(before, before)
                p.V_SUB_VF(before, before, one, 0, 1)
                p.V_ADD_VV(row, row, before)
                p.add(row, row, mlen)
                p.add(columns, columns, 1)
