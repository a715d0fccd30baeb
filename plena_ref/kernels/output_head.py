"""The output head with tied weights: logits = X table^T, from the embedding's own table in HBM.

MLEN rows of one block of the table's columns are a tile that M_TMM multiplies with, and one run of bytes; a
panel of a linear layer is MLEN rows of all blocks. So this is `linear.py` with other places of the tiles, and
the matrix is in HBM once. The table ends at LIMIT: the last panel of a vocabulary that is no multiple of MLEN
takes the last MLEN rows, and multiplies with those that no panel before it had.

The logits lie densely: a row for each position that is asked for, one batch after the other.
"""

from __future__ import annotations

from plena_ref.kernels.embedding import EmbeddingTable
from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.linear import LinearKernel, LinearShape
from plena_ref.kernels.program import GP0, Program, Register
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region


def check_head(hw: Hardware, vocabulary: int) -> None:
    """Refuse a vocabulary that has no whole panel, or ends inside a systolic block.

    Raises:
        KernelError: names the rule.
    """
    if vocabulary < hw.mlen or vocabulary % hw.blen:
        raise KernelError(
            f"VOCABULARY must be a multiple of BLEN = {hw.blen} and at least MLEN = {hw.mlen} "
            f"(got {vocabulary})"
        )


class OutputHeadKernel(LinearKernel):
    """Logits of all positions, or of the last of each sequence, on given tensors.

    Args:
        hw: the machine.
        x: batch x seq x features, packed; its padding columns hold finite numbers.
        table: the embedding's, from `EmbeddingTable.place`.
        logits: packed, batch x (seq or 1) x vocabulary; which of them says which positions are meant.
        room: where to take scratch from.

    Raises:
        KernelError: the vocabulary breaks a rule.
        LayoutError: VRAM is full.
    """

    def __init__(
        self, hw: Hardware, x: BatchedVram, table: EmbeddingTable, logits: BatchedVram, room: Room
    ) -> None:
        check_head(hw, table.vocabulary)
        self.table, self.all_rows = table, x
        rows = x
        if logits.seq != x.seq:
            height = round_up(x.batch, hw.blen)
            last = room.vram.tensor("last positions", x.batch, table.features, height)
            rows = BatchedVram(last, x.batch, 1, 1)
        shape = LinearShape(logits.batch, logits.seq, table.features, table.vocabulary)
        panels = -(-table.vocabulary // hw.mlen)
        super().__init__(hw, shape, rows, [table.tensor] * panels, logits)

    @property
    def title(self) -> str:
        """What it does."""
        which = "all positions" if self.x is self.all_rows else "the last positions"
        return f"output head with tied weights, {which}: {self.shape}"

    def scratch(self) -> list[Region]:
        """What a linear layer needs, and the rows of the last positions."""
        copied = [] if self.x is self.all_rows else self.x.parent.row_regions(0, self.x.batch)
        return [*super().scratch(), *copied]

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        if self.x is not self.all_rows:
            self._copy_last(p)
        super().emit(p)

    def _copy_last(self, p: Program) -> None:
        """The last row of each batch, one after the other."""
        source, target = self.all_rows, self.x.parent
        for block in range(target.column_blocks):
            column = block * self.hw.mlen
            with p.gps("last row of a batch", "its copy") as (row, copy):
                p.point(row, source.parent, source.seq - 1, column)
                p.point(copy, target, 0, column)
                with p.repeat(source.batch, f"last positions, column block {block}"):
                    p.V_SHFT_V(copy, row, GP0)
                    p.add(row, row, source.batch_stride)
                    p.add(copy, copy, self.hw.mlen)

    # Where the tiles lie

    def _features_together(self) -> int:
        """A row of a tile is an output feature."""
        return self.hw.mlen

    def _point_offset(self, tile: int) -> None:
        """The HBM address is that of a tile of the table."""
        panel, block = divmod(tile, self.panel_tiles)
        offset = self._first_row_of(panel) * self.table.tensor.row_bytes + block * self.table.block_bytes
        self.p.load_constant(self.offset, offset)

    @property
    def _tile_step(self) -> int:
        """Bytes from tile to tile of a panel."""
        return self.table.block_bytes

    def _product(self, w: Register, x: Register) -> None:
        """The accumulators += BLEN rows of X times BLEN rows of a tile."""
        self.p.M_TMM(x, w)

    def _skipped(self, panel: int) -> int:
        """Elements of a panel's tiles before the first row that is its own."""
        first = panel * self.hw.mlen
        return (first - self._first_row_of(panel)) * self.hw.mlen

    def _first_row_of(self, panel: int) -> int:
        """Row of the table at which the tiles of a panel begin."""
        return min(panel * self.hw.mlen, self.table.vocabulary - self.hw.mlen)
