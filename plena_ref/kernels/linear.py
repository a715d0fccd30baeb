"""Linear layer Y = X W + b: X, b and Y in VRAM, W streamed from HBM through MSRAM, the array busy throughout.

W goes by in panels: MLEN output features, all input features. In HBM each panel is a tensor of its own, so
that a tile is one run of bytes. While the array works on one panel, the tiles of the next are fetched, one or
a few for each block of results; MSRAM is a ring, in which a tile's place is taken again once its last product
has been read. The bias of a panel is added while the next one is multiplied. docs/kernels.md explains the
order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.padding import clear_last_block
from plena_ref.kernels.program import GP0, Program, Register
from plena_ref.kernels.rules import KernelError, check_fields, check_sizes
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: Products in the body of the loop over input features: three instructions each, and one for the loop.
PRODUCTS_UNROLLED = 4


@dataclass(frozen=True)
class LinearShape:
    """One linear layer; whether it has a bias is the kernel's operand.

    Attributes:
        batch, rows: inputs are batch x rows vectors.
        in_features, out_features: W is in_features x out_features.
    """

    batch: int
    rows: int
    in_features: int
    out_features: int

    def check(self, hw: Hardware) -> None:
        """Refuse shapes that this machine cannot do.

        Raises:
            KernelError: names the rule.
        """
        check_sizes(batch=self.batch, seq=self.rows)
        check_fields(self, "in_features", "out_features")
        if self.out_features % hw.blen:
            raise KernelError(
                "OUT_FEATURES must be a multiple of BLEN "
                f"(got OUT_FEATURES = {self.out_features}, BLEN = {hw.blen})"
            )


@dataclass(frozen=True)
class Fetches:
    """Neighbouring blocks of BLEN rows, each with as many tiles fetched before it.

    Attributes:
        blocks: how many blocks.
        tiles: the tiles, those of the first block first; with several blocks, all in one turn of the ring.
    """

    blocks: int
    tiles: range


def place_panels(hw: Hardware, shape: LinearShape, room: Room) -> list[HbmTensor]:
    """W in HBM: a tensor a panel of MLEN output features, all input features rounded up to whole tiles."""
    rows = round_up(shape.in_features, hw.mlen)
    return [
        room.hbm.tensor(f"W[:, {first}:]", rows, hw.mlen) for first in range(0, shape.out_features, hw.mlen)
    ]


class LinearKernel:
    """Y = X W, or Y = X W + b, on given tensors.

    Reads rows of X up to a whole systolic block, which reach only the same rows of Y, and the padding columns
    of its last block, which must be finite. Padding columns of Y are not written without a bias, and become 0
    with one.

    Args:
        hw: the machine.
        shape: the problem.
        x, y: packed, so that the rows of all batches lie one after the other.
        w: from `place_panels`.
        bias: 1 x out_features, its padding columns 0; or None.

    Raises:
        KernelError: the shape breaks a rule.
    """

    def __init__(
        self,
        hw: Hardware,
        shape: LinearShape,
        x: BatchedVram,
        w: list[HbmTensor],
        y: BatchedVram,
        bias: VramTensor | None = None,
    ) -> None:
        shape.check(hw)
        self.hw = hw
        self.shape = shape
        self.x, self.w, self.y, self.bias = x, w, y, bias
        self.panel_tiles = -(-shape.in_features // hw.mlen)
        self.row_groups = -(-shape.batch * shape.rows // hw.blen)
        #: Whether MSRAM holds a panel; else its tiles go by anew for each block of results, in two buffers.
        self.resident = self.panel_tiles <= hw.msram_tiles
        self.buffers = min(2, hw.msram_tiles)
        self.buffer_tiles = hw.msram_tiles // self.buffers

    @property
    def title(self) -> str:
        """What it does."""
        return f"linear layer: {self.shape}"

    def outputs(self) -> list[Region]:
        """The words of Y that are results; with a bias, whole rows."""
        rows = range(self.shape.batch * self.shape.rows)
        return self._rows_of_y(rows, self.y.parent.physical_cols if self.bias else self.shape.out_features)

    def scratch(self) -> list[Region]:
        """The other words that the program may write: rows of Y up to a whole block, and tiles of W."""
        rows = self.shape.batch * self.shape.rows
        tiles = min(len(self.w) * self.panel_tiles, self.hw.msram_tiles)
        tiles = tiles if self.resident else self.buffers * self.buffer_tiles
        tile_region = Region("msram", 0, tiles * self.hw.tile_elems, "tiles of W")
        others = range(rows, self.row_groups * self.hw.blen)
        return [*self._rows_of_y(others, self.shape.out_features), tile_region]

    def _rows_of_y(self, rows: range, cols: int) -> list[Region]:
        """The first `cols` columns of rows of Y."""
        mlen, parent = self.hw.mlen, self.y.parent
        regions = []
        for first in range(0, cols, mlen):
            starts = [parent.address(row, first) for row in rows]
            width = min(mlen, cols - first)
            regions += [Region("vram", start, start + width, "Y") for start in starts]
        return regions

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        self.p = p
        with (
            p.hbm_base("W") as self.w_base,
            p.gp("place of a tile") as self.place,
            p.gp("HBM offset of a tile") as self.offset,
        ):
            self._set_up()
            if self.resident:
                self._fetch_panel(range(self.panel_tiles))
            if self.bias and self.shape.out_features % self.hw.mlen:
                clear_last_block(p, self.y.parent)
            for panel in range(len(self.w)):
                p.comment(f"output features {panel * self.hw.mlen} and up")
                left = self._resident_panel(panel) if self.resident else self._long_panel(panel)
                if panel:
                    self._add_bias(panel - 1)
                self._fetch_panel(left)
            self._add_bias(len(self.w) - 1)

    def _resident_panel(self, panel: int) -> range:
        """Y for a panel that MSRAM holds; returns the tiles of the next one that had no room yet."""
        ahead = range((panel + 1) * self.panel_tiles, (panel + 2) * self.panel_tiles)
        if panel + 1 == len(self.w):
            ahead = range(0)
        else:
            self._set_panel(panel + 1)
        # The ring has room for some of the tiles now; the others take places of this panel.
        room = self.hw.msram_tiles - self.panel_tiles
        self._panel(panel, ahead[:room])
        return ahead[room:]

    def _add_bias(self, panel: int) -> None:
        """The bias is added to a panel of Y."""
        if self.bias is None:
            return
        p, mlen = self.p, self.hw.mlen
        with p.gps("row of Y", "bias") as (row, bias):
            p.point(row, self.y.parent, 0, panel * mlen)
            p.point(bias, self.bias, 0, panel * mlen)
            with p.repeat(self.shape.batch * self.shape.rows, f"bias of features {panel * mlen} and up"):
                p.V_ADD_VV(row, row, bias)
                p.add(row, row, mlen)

    def _set_up(self) -> None:
        p = self.p
        with p.gp("a control register") as value:
            p.load_constant(value, self.w[0].scale_offset)
            p.C_SET_SCALE_REG(value)
        self._set_panel(0)

    def _set_panel(self, panel: int) -> None:
        """The next tiles to be fetched are those of a panel."""
        self.p.set_hbm_base(self.w_base, self.w[panel].base, self.w[panel].name)

    # Tiles of W, numbered down the panels

    def _slot(self, tile: int) -> int:
        return tile % self.hw.msram_tiles

    def _runs(self, tiles: range) -> Iterator[range]:
        """`tiles` cut where the ring begins anew."""
        ring = self.hw.msram_tiles
        for turn in range(tiles.start // ring, -(-tiles.stop // ring)):
            yield range(max(tiles.start, turn * ring), min(tiles.stop, (turn + 1) * ring))

    def _point_fetches(self, tile: int) -> None:
        """Tile `tile` is the next to be fetched."""
        p, tile_elems = self.p, self.hw.tile_elems
        p.load_constant(self.place, self._slot(tile) * tile_elems, f"place of tile {tile}")
        self._point_offset(tile % self.panel_tiles)

    def _point_offset(self, tile: int) -> None:
        """The HBM offset is that of a tile of the panel."""
        self.p.load_constant(self.offset, tile * self._tile_step)

    @property
    def _tile_step(self) -> int:
        """Bytes from tile to tile of a panel."""
        return self.w[0].span(self.hw.tile_elems)

    def _fetch(self) -> None:
        """Fetch the next tile: rows of MLEN elements without a gap."""
        p = self.p
        p.H_PREFETCH_M(self.place, self.offset, self.w_base, 0, 0)
        p.add(self.place, self.place, self.hw.tile_elems)
        p.add(self.offset, self.offset, self._tile_step)

    def _fetch_panel(self, tiles: range) -> None:
        for run in self._runs(tiles) if tiles else ():
            self._point_fetches(run.start)
            with self.p.repeat(len(run), "tiles of a panel"):
                self._fetch()

    # Products

    def _panel(self, panel: int, ahead: range) -> None:
        """Y for a panel of W, BLEN features at a time, fetching the tiles `ahead`."""
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        features = min(mlen, self.shape.out_features - panel * mlen)
        each = -(-len(ahead) // (features // blen * self.row_groups))
        for first in range(0, features, blen):
            share, ahead = ahead[: each * self.row_groups], ahead[each * self.row_groups :]
            with p.gp("BLEN rows of X") as rows, p.gp("block of Y") as target:
                p.point(rows, self.x.parent)
                p.point(target, self.y.parent, 0, panel * mlen + first)
                for part in self._spread(share, each):
                    if part.tiles and part.blocks > 1:
                        self._point_fetches(part.tiles.start)
                    with p.repeat(
                        part.blocks, f"features {panel * mlen + first} and up, BLEN rows at a time"
                    ):
                        for tile in part.tiles[: len(part.tiles) // part.blocks]:
                            if part.blocks == 1:
                                self._point_fetches(tile)
                            self._fetch()
                        self._block(panel, first * mlen, rows)
                        p.M_MM_WO(target, GP0, 0)
                        p.add(rows, rows, blen * mlen)
                        p.add(target, target, blen * mlen)

    def _spread(self, tiles: range, each: int) -> list[Fetches]:
        """All row groups; the first ones fetch `each` of `tiles`, until none is left."""
        ring = self.hw.msram_tiles
        parts: list[Fetches] = []
        for group in range(self.row_groups):
            share = tiles[group * each : (group + 1) * each]
            if parts:
                alike = parts[-1]
                joined = range(alike.tiles.start, share.stop) if share else share
                same = len(share) * alike.blocks == len(alike.tiles)
                if same and (not share or joined.start // ring == (joined.stop - 1) // ring):
                    parts[-1] = Fetches(alike.blocks + 1, joined)
                    continue
            parts.append(Fetches(1, share))
        return parts

    def _block(self, panel: int, offset: int, rows: Register) -> None:
        """The accumulators += BLEN rows of X times BLEN columns of W, `offset` elements into each tile."""
        p = self.p
        tiles = range(panel * self.panel_tiles, (panel + 1) * self.panel_tiles)
        with p.gp("X") as x, p.gp("W tile") as w:
            p.add(x, rows, 0)
            for run in self._runs(tiles):
                p.load_constant(w, self._slot(run.start) * self.hw.tile_elems + offset)
                self._products(w, x, len(run))

    def _products(self, w: Register, x: Register, count: int) -> None:
        """The accumulators += products with `count` neighbouring tiles; the pointers move on."""
        p = self.p
        whole, rest = divmod(count, PRODUCTS_UNROLLED)
        for passes, products in ((whole, PRODUCTS_UNROLLED), (min(rest, 1), rest)):
            if passes:
                with p.repeat(passes, "input features, MLEN at a time"):
                    for _ in range(products):
                        self._product(w, x)
                        p.add(w, w, self.hw.tile_elems)
                        p.add(x, x, self.x.parent.block_stride)

    def _product(self, w: Register, x: Register) -> None:
        """The accumulators += BLEN rows of X times BLEN columns of a tile."""
        self.p.M_MM(w, x)

    # Panels that MSRAM does not hold

    def _long_panel(self, panel: int) -> range:
        """Y for a panel whose tiles go by for each block of results; nothing of the next is fetched."""
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        self._set_panel(panel)
        features = min(mlen, self.shape.out_features - panel * mlen)
        for first in range(0, features, blen):
            with p.gp("BLEN rows of X") as rows, p.gp("block of Y") as target:
                p.point(rows, self.x.parent)
                p.point(target, self.y.parent, 0, panel * mlen + first)
                with p.repeat(
                    self.row_groups, f"features {panel * mlen + first} and up, BLEN rows at a time"
                ):
                    self._streamed_block(panel, first * mlen, rows)
                    p.M_MM_WO(target, GP0, 0)
                    p.add(rows, rows, blen * mlen)
                    p.add(target, target, blen * mlen)
        return range(0)

    def _streamed_block(self, panel: int, offset: int, rows: Register) -> None:
        """As `_block`: one buffer is fetched before the products with the tiles of the other."""
        p, starts = self.p, range(0, self.panel_tiles, self.buffer_tiles)
        chunks = [range(start, min(start + self.buffer_tiles, self.panel_tiles)) for start in starts]
        places = [n % self.buffers * self.buffer_tiles * self.hw.tile_elems for n in range(len(chunks))]
        ahead = self.buffers - 1
        with p.gp("X") as x, p.gp("W tile") as w:
            p.add(x, rows, 0)
            for number in range(len(chunks) + ahead):
                if number < len(chunks):
                    p.load_constant(self.place, places[number])
                    self._point_offset(chunks[number].start)
                    with p.repeat(len(chunks[number]), "tiles of a panel"):
                        self._fetch()
                if number >= ahead:
                    p.load_constant(w, places[number - ahead] + offset)
                    self._products(w, x, len(chunks[number - ahead]))
