"""RoPE, rotate-half: Y = X*cos + rotate_half(X)*sin, for heads side by side in VRAM.

sin is the same in both halves of a head, so rotate_half(X)*sin is rotate_half(X*sin) to the last bit. X*sin
is written to scratch rows without gaps, whichever heads they belong to, so that the array, where it is
needed, turns full blocks of BLEN rows. docs/kernels.md says when it is, and why.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import GP0, Program, Register
from plena_ref.kernels.rotate_half import HeadColumns
from plena_ref.kernels.rules import KernelError, check_fields
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: Systolic blocks of rows that are under way at a time: the array turns one while the next are multiplied.
BLOCKS_IN_FLIGHT = 4


@dataclass(frozen=True)
class RopeShape:
    """One RoPE.

    Attributes:
        batch, seq: rows.
        heads, head_dim: heads side by side in a row.
        head_cols: columns from head to head; see `HeadColumns`.
    """

    batch: int
    seq: int
    heads: int
    head_dim: int
    head_cols: int

    def columns(self, hw: Hardware) -> HeadColumns:
        """Where the heads' columns lie."""
        return HeadColumns(self.head_dim, self.head_cols, hw.mlen)

    def check(self, hw: Hardware) -> None:
        """Refuse shapes that cannot be turned.

        Raises:
            KernelError: names the rule.
        """
        check_fields(self, "batch", "seq", "heads", "head_dim")
        if self.head_dim % 2:
            raise KernelError(f"RoPE needs an even HEAD_DIM (got {self.head_dim})")
        whole = self.head_cols % hw.mlen == 0 or hw.mlen % self.head_cols == 0
        if self.head_cols < self.head_dim or not whole:
            raise KernelError(
                f"heads must lie at least HEAD_DIM and a divisor or multiple of MLEN columns apart "
                f"(got {self.head_cols} columns, HEAD_DIM = {self.head_dim}, MLEN = {hw.mlen})"
            )
        tiles = len(self.columns(hw).tiles)
        if tiles > hw.msram_tiles:
            raise KernelError(f"rotate_half needs MSRAM_TILES >= {tiles} (got {hw.msram_tiles})")


@dataclass(frozen=True)
class RopeTables:
    """What the host stages; every RoPE of the same positions and head shape can use it.

    Attributes:
        cos, sin: seq x columns of a group, in VRAM: of row r's angles, 0 in padding columns.
        rotation: the tiles of `HeadColumns.tiles` one below the other, in HBM; None where there are none.
    """

    cos: VramTensor
    sin: VramTensor
    rotation: HbmTensor | None


def place_tables(hw: Hardware, shape: RopeShape, room: Room) -> RopeTables:
    """Give the tables of a RoPE their places."""
    columns = shape.columns(hw)
    cos, sin = (room.vram.tensor(name, shape.seq, columns.period) for name in ("cos", "sin"))
    tiles = len(columns.tiles)
    rotation = room.hbm.tensor("rotate_half", tiles * hw.mlen, hw.mlen) if tiles else None
    return RopeTables(cos, sin, rotation)


def _parts(total: int, size: int) -> list[tuple[int, int]]:
    """`total` as (how often, how many): runs of `size`, then the rest."""
    full, rest = divmod(total, size)
    return [part for part in ((full, size), (1, rest)) if part[0] * part[1]]


def _same_words(x: BatchedVram, y: BatchedVram) -> bool:
    """Whether two tensors of the same problem are one, whatever they are called."""
    places = {(t.parent.base, t.parent.block_stride, t.batch_stride) for t in (x, y)}
    return len(places) == 1


class RopeKernel:
    """RoPE on given tensors; Y may be X. Padding columns of X are finite, those of Y become 0.

    Args:
        hw: the machine.
        shape: the problem.
        x, y: heads side by side, batches packed or in slabs, each as it likes.
        tables: from `place_tables`, for the same head_dim and head_cols and at least seq rows.
        room: where to take scratch from.

    Raises:
        KernelError: the shape breaks a rule.
        LayoutError: a memory is full.
    """

    def __init__(
        self, hw: Hardware, shape: RopeShape, x: BatchedVram, y: BatchedVram, tables: RopeTables, room: Room
    ) -> None:
        shape.check(hw)
        self.hw, self.shape = hw, shape
        self.x, self.y, self.tables = x, y, tables
        self.in_place = _same_words(x, y)
        self.columns = shape.columns(hw)
        self.groups = self.columns.groups(shape.heads)
        #: Rows and groups of a step.
        self.rows = min(shape.seq, BLOCKS_IN_FLIGHT * hw.blen)
        self.width = min(self.groups, BLOCKS_IN_FLIGHT * hw.blen // self.rows)
        scratch_rows = round_up(self.rows * self.width, hw.blen)
        self.product = room.vram.tensor("x*sin", scratch_rows, self.columns.period)
        self.turned = self.product
        if self.columns.tiles:
            self.turned = room.vram.tensor("rotate_half(x*sin)", scratch_rows, self.columns.period)

    @property
    def title(self) -> str:
        """What it does."""
        return f"RoPE: {self.shape}"

    def outputs(self) -> list[Region]:
        """The active rows of Y, padding columns included."""
        return self.y.active_regions()

    def scratch(self) -> list[Region]:
        """x*sin of a step, its rotate_half, and the tiles that turn it."""
        rows = self.product.rows
        regions = self.product.row_regions(0, rows)
        tiles = len(self.columns.tiles)
        if tiles:
            regions += self.turned.row_regions(0, rows)
            regions.append(Region("msram", 0, tiles * self.hw.tile_elems, "rotate_half"))
        return regions

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        self._fetch_tiles(p)
        for batch in range(self.shape.batch):
            with self._pointers(p, "rows") as (x, y):
                self._point(p, batch, x, y)
                for passes, width in _parts(self.groups, self.width):
                    with p.repeat(passes, f"batch {batch}, {width} column groups at a time"):
                        self._all_rows(p, width, x, y)
                        back = -self.shape.seq * self.hw.mlen
                        self._move(p, x, y, back, back, width)

    @contextmanager
    def _pointers(self, p: Program, what: str) -> Iterator[tuple[Register, Register]]:
        """Registers for X and Y; one for both in place."""
        with ExitStack() as stack:
            y = stack.enter_context(p.gp(f"{what} of Y"))
            yield (y if self.in_place else stack.enter_context(p.gp(f"{what} of X"))), y

    def _point(self, p: Program, batch: int, x: Register, y: Register) -> None:
        p.point(y, self.y.batch_view(batch))
        if not self.in_place:
            p.point(x, self.x.batch_view(batch))

    def _move(self, p: Program, x: Register, y: Register, dx: int, dy: int, groups: int = 0) -> None:
        """Move the pointers by elements, and by column groups."""
        blocks = groups * self.columns.blocks
        p.add(y, y, dy + blocks * self.y.parent.block_stride)
        if not self.in_place:
            p.add(x, x, dx + blocks * self.x.parent.block_stride)

    def _fetch_tiles(self, p: Program) -> None:
        """The tiles of rotate_half to the first places of MSRAM."""
        rotation, tile = self.tables.rotation, self.hw.tile_elems
        if rotation is None:
            return
        with p.hbm_base("rotate_half") as base, p.gps("tile", "offset") as (place, offset):
            p.load_constant(offset, rotation.scale_offset)
            p.C_SET_SCALE_REG(offset)
            p.set_hbm_base(base, rotation.base)
            p.load_constant(offset, 0)
            p.load_constant(place, 0)
            with p.repeat(len(self.columns.tiles), "tiles of rotate_half"):
                p.H_PREFETCH_M(place, offset, base, 0, 0)
                p.add(place, place, tile)
                p.add(offset, offset, rotation.span(tile))

    def _all_rows(self, p: Program, width: int, x: Register, y: Register) -> None:
        """The rows of a batch, of `width` column groups; leaves the pointers after the last row."""
        with p.gp("row of sin") as sin:
            p.point(sin, self.tables.sin)
            for passes, rows in _parts(self.shape.seq, self.rows):
                with p.repeat(passes, f"{rows} rows at a time"):
                    self._multiply(p, width, rows, x, y, sin)
                    self._turn(p, -(-width * rows // self.hw.blen))
                    self._add(p, width, rows, y)
                    step = rows * self.hw.mlen
                    self._move(p, x, y, step, step)
                    p.add(sin, sin, step)

    def _multiply(
        self, p: Program, width: int, rows: int, x0: Register, y0: Register, sin0: Register
    ) -> None:
        """Scratch = X*sin, Y = X*cos."""
        mlen, tables = self.hw.mlen, self.tables
        distance = tables.cos.base - tables.sin.base
        for block in range(self.columns.blocks):
            with (
                self._pointers(p, "row") as (x, y),
                self._pointers(p, "column group") as (xg, yg),
                p.gps("sin", "cos", "x*sin") as (sin, cos, target),
            ):
                p.add(y, y0, block * self.y.parent.block_stride)
                if not self.in_place:
                    p.add(x, x0, block * self.x.parent.block_stride)
                p.add(sin, sin0, block * tables.sin.block_stride)
                p.add(cos, sin, distance)
                p.point(target, self.product, 0, block * mlen)
                with p.repeat(rows, f"x*sin and x*cos, column block {block} of a group"):
                    for group in range(width):
                        source, result = x, y
                        if group:
                            source, result = xg, yg
                            offset = group * self.columns.blocks
                            p.add(yg, y, offset * self.y.parent.block_stride)
                            if not self.in_place:
                                p.add(xg, x, offset * self.x.parent.block_stride)
                        p.V_MUL_VV(target, source, sin)
                        p.V_MUL_VV(result, source, cos)
                        p.add(target, target, mlen)
                    self._move(p, x, y, mlen, mlen)
                    p.add(sin, sin, mlen)
                    p.add(cos, cos, mlen)

    def _turn(self, p: Program, blocks: int) -> None:
        """rotate_half of the scratch rows on the array, BLEN rows at a time."""
        tiles, hw = self.columns.tiles, self.hw
        if not tiles:
            return
        with p.gps("BLEN rows of x*sin", "column block", "rotate_half", "tile") as (rows, source, target, w):
            p.point(rows, self.product)
            p.point(target, self.turned)
            with p.repeat(blocks, "rotate_half, BLEN rows at a time"):
                for to in sorted({j for _, j in tiles}):
                    for column in range(0, hw.mlen, hw.blen):
                        for slot, (i, j) in enumerate(tiles):
                            if j == to:
                                p.load_constant(w, slot * hw.tile_elems + column * hw.mlen)
                                p.add(source, rows, i * self.product.block_stride)
                                p.M_MM(w, source if i else rows)
                        p.M_MM_WO(target, GP0, to * self.turned.block_stride + column)
                p.add(rows, rows, hw.blen * hw.mlen)
                p.add(target, target, hw.blen * hw.mlen)

    def _sources(self) -> Iterator[tuple[int, int, str]]:
        """For each column block of a group: the scratch block that is added to it, and how."""
        half = self.columns.blocks // 2
        for block in range(self.columns.blocks):
            if self.columns.moves_blocks:
                yield block, (block + half) % (2 * half), "V_SUB_VV" if block < half else "V_ADD_VV"
            elif any(j == block for _, j in self.columns.tiles):
                yield block, block, "V_ADD_VV"

    def _add(self, p: Program, width: int, rows: int, y0: Register) -> None:
        """Y += rotate_half of the scratch rows."""
        mlen = self.hw.mlen
        stride = self.y.parent.block_stride
        for block, taken, operation in self._sources():
            with p.gps("row of Y", "column group of Y", "rotate_half") as (y, yg, source):
                p.add(y, y0, block * stride)
                p.point(source, self.turned, 0, taken * mlen)
                with p.repeat(rows, f"Y += rotate_half, column block {block} of a group"):
                    for group in range(width):
                        if group:
                            p.add(yg, y, group * self.columns.blocks * stride)
                        result = yg if group else y
                        p.emit(operation, result, result, source)
                        p.add(source, source, mlen)
                    p.add(y, y, mlen)
