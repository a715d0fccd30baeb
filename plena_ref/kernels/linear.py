"""Linear layer Y = X W + b: X, b and Y in VRAM, W streamed from HBM through MSRAM, the array busy throughout.

W goes by in panels: MLEN output features, all input features. In HBM each panel is a tensor of its own, so
that a tile is one run of bytes. A tile holds few features of several blocks of input features, so that the
first features of a panel wait for its first tiles only. Tiles are fetched ahead of the array; MSRAM is a
ring, in which a tile's place is taken again once its last product has been read. See docs/kernels.md.
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
from plena_ref.machine.hardware import HBM_BEAT_BYTES, HBM_QUEUE, Hardware
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


def features_together(hw: Hardware, shape: LinearShape) -> int:
    """Neighbouring output features that lie side by side in a tile: BLEN, or as many as share a scale.

    Beside them lie those of the next blocks of input features. A panel that MSRAM does not hold keeps its
    MLEN features together.
    """
    if -(-shape.in_features // hw.mlen) > hw.msram_tiles:
        return hw.mlen
    return max(hw.blen, hw.mx_block)


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
        #: Output features that lie together in a tile, and how many such parts a tile has.
        self.together = self._features_together()
        self.parts = hw.mlen // self.together
        #: Whether MSRAM holds a panel; else its tiles go by anew for each block of results, in two buffers.
        self.resident = self.panel_tiles <= hw.msram_tiles
        self.buffers = min(2, hw.msram_tiles)
        self.buffer_tiles = hw.msram_tiles // self.buffers

    def _features_together(self) -> int:
        return features_together(self.hw, self.shape)

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
        last = len(self.w) - 1
        tiles = min(self._tiles(last, self._features(last) - 1).stop, self.hw.msram_tiles)
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
        self._fetched = 0
        with (
            p.hbm_base("W") as self.w_base,
            p.gp("place of a tile") as self.place,
            p.gp("HBM offset of a tile") as self.offset,
        ):
            self._set_up()
            if self.bias and self.shape.out_features % self.hw.mlen:
                clear_last_block(p, self.y.parent)
            for panel in range(len(self.w)):
                p.comment(f"output features {panel * self.hw.mlen} and up")
                (self._panel if self.resident else self._long_panel)(panel)
                if panel:
                    self._add_bias(panel - 1)
            self._add_bias(len(self.w) - 1)

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
        self._set_base(0)
        self._set_scale()

    def _set_scale(self) -> None:
        p = self.p
        with p.gp("a control register") as value:
            p.load_constant(value, self.w[0].scale_offset)
            p.C_SET_SCALE_REG(value)

    # Tiles of W, numbered down the panels, and parts of them: the features that lie together

    def _features(self, panel: int) -> int:
        """Output features of a panel."""
        return min(self.hw.mlen, self.shape.out_features - panel * self.hw.mlen)

    def _parts(self, panel: int, first: int) -> range:
        """The parts with features `first` and up of a panel: one for each block of input features."""
        start = panel * self.panel_tiles * self.parts + first // self.together * self.panel_tiles
        return range(start, start + self.panel_tiles)

    def _tiles(self, panel: int, first: int) -> range:
        """The tiles of these parts."""
        parts = self._parts(panel, first)
        return range(parts.start // self.parts, -(-parts.stop // self.parts))

    @staticmethod
    def _runs(numbers: range, turn: int) -> Iterator[range]:
        """`numbers` cut at multiples of `turn`."""
        for count in range(numbers.start // turn, -(-numbers.stop // turn)):
            yield range(max(numbers.start, count * turn), min(numbers.stop, (count + 1) * turn))

    def _point_fetches(self, tile: int) -> None:
        """Tile `tile` is the next to be fetched."""
        p, hw = self.p, self.hw
        p.load_constant(self.place, tile % hw.msram_tiles * hw.tile_elems, f"place of tile {tile}")
        self._point_offset(tile)

    def _point_offset(self, tile: int) -> None:
        """The HBM address is that of a tile."""
        panel, number = divmod(tile, self.panel_tiles)
        if panel != self._base_panel:
            self._set_base(panel)
        self.p.load_constant(self.offset, number * self._tile_step)

    def _set_base(self, panel: int) -> None:
        """The next tiles to be fetched are those of a panel."""
        self._base_panel = panel
        self.p.set_hbm_base(self.w_base, self.w[panel].base, self.w[panel].name)

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

    def _fetch_tiles(self, tiles: range) -> None:
        """Fetch these tiles, all of one panel."""
        for run in self._runs(tiles, self.hw.msram_tiles) if tiles else ():
            self._point_fetches(run.start)
            with self.p.repeat(len(run), "tiles of a panel"):
                self._fetch()

    def _next_tiles(self, stop: int) -> range:
        """Tiles from the next on, below `stop`, and not past the panel of the next one."""
        panel = self._fetched // self.panel_tiles
        if panel == len(self.w):
            return range(0)
        # The last panel may need fewer tiles.
        last = self._tiles(panel, self._features(panel) - 1).stop
        taken = range(self._fetched, max(self._fetched, min(stop, last)))
        self._fetched = (panel + 1) * self.panel_tiles if taken.stop == last else taken.stop
        return taken

    # Products

    @property
    def _lead(self) -> int:
        """How many tiles further than those of the products at hand the fetches are.

        Where tiles take longer to come (by their beats, or the latency of a queue of them) than to be
        multiplied with, as many as the queue of the HBM unit takes: more would hold up the products.
        """
        tile = self.w[0].span(self.hw.tile_elems)
        beats = (tile + self.w[0].form.scale_bytes(tile)) / HBM_BEAT_BYTES
        waits = self.row_groups * self.hw.mlen < beats or self.row_groups == 1
        return HBM_QUEUE if waits else self.panel_tiles

    def _panel(self, panel: int) -> None:
        """Y for a panel of W, BLEN features at a time, and the fetches beside it."""
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        for first in range(0, self._features(panel), blen):
            tiles = self._tiles(panel, first)
            while self._fetched < tiles.stop:
                self._fetch_tiles(self._next_tiles(tiles.stop))
            even = panel * self.panel_tiles - (first + blen) * self.panel_tiles // -mlen
            # Tiles before those at hand have been multiplied with: their places in the ring are free.
            share = self._next_tiles(min(even + self._lead, tiles.start + self.hw.msram_tiles))
            each = -(-len(share) // self.row_groups)
            with p.gp("BLEN rows of X") as rows, p.gp("block of Y") as target:
                p.point(rows, self.x.parent)
                p.point(target, self.y.parent, 0, panel * mlen + first)
                for part in self._spread(share, each):
                    if part.tiles and part.blocks > 1:
                        self._point_fetches(part.tiles.start)
                    with p.repeat(part.blocks, f"features {panel * mlen + first} and up, BLEN rows each"):
                        for tile in part.tiles[: len(part.tiles) // part.blocks]:
                            if part.blocks == 1:
                                self._point_fetches(tile)
                            self._fetch()
                        self._block(panel, first, rows)
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

    def _block(self, panel: int, first: int, rows: Register) -> None:
        """The accumulators += BLEN rows of X times features `first` and up of a panel."""
        p, hw = self.p, self.hw
        turn = hw.msram_tiles * self.parts
        with p.gp("X") as x, p.gp("W") as w:
            p.add(x, rows, 0)
            for run in self._runs(self._parts(panel, first), turn):
                place = run.start % turn * self.together + first % self.together
                p.load_constant(w, place * hw.mlen + self._skipped(panel))
                self._products(w, x, len(run), self.together * hw.mlen)

    def _skipped(self, _panel: int) -> int:
        """Elements of each of a panel's tiles before the first that is its own."""
        return 0

    def _products(self, w: Register, x: Register, count: int, step: int) -> None:
        """The accumulators += `count` products; the pointers move on, that of W by `step` elements."""
        p = self.p
        whole, rest = divmod(count, PRODUCTS_UNROLLED)
        for passes, products in ((whole, PRODUCTS_UNROLLED), (min(rest, 1), rest)):
            if passes:
                with p.repeat(passes, "input features, MLEN at a time"):
                    for _ in range(products):
                        self._product(w, x)
                        p.add(w, w, step)
                        p.add(x, x, self.x.parent.block_stride)

    def _product(self, w: Register, x: Register) -> None:
        """The accumulators += BLEN rows of X times BLEN columns of a tile."""
        self.p.M_MM(w, x)

    # Panels that MSRAM does not hold

    def _long_panel(self, panel: int) -> None:
        """Y for a panel whose tiles go by for each block of results; nothing of the next is fetched."""
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        for first in range(0, self._features(panel), blen):
            with p.gp("BLEN rows of X") as rows, p.gp("block of Y") as target:
                p.point(rows, self.x.parent)
                p.point(target, self.y.parent, 0, panel * mlen + first)
                with p.repeat(
                    self.row_groups, f"features {panel * mlen + first} and up, BLEN rows at a time"
                ):
                    self._streamed_block(panel, first, rows)
                    p.M_MM_WO(target, GP0, 0)
                    p.add(rows, rows, blen * mlen)
                    p.add(target, target, blen * mlen)

    def _streamed_block(self, panel: int, first: int, rows: Register) -> None:
        """As `_block`: one buffer is fetched before the products with the tiles of the other."""
        p, starts = self.p, range(0, self.panel_tiles, self.buffer_tiles)
        chunks = [range(start, min(start + self.buffer_tiles, self.panel_tiles)) for start in starts]
        places = [n % self.buffers * self.buffer_tiles * self.hw.tile_elems for n in range(len(chunks))]
        ahead = self.buffers - 1
        offset = first * self.hw.mlen + self._skipped(panel)
        with p.gp("X") as x, p.gp("W tile") as w:
            p.add(x, rows, 0)
            for number in range(len(chunks) + ahead):
                if number < len(chunks):
                    p.load_constant(self.place, places[number])
                    self._point_offset(panel * self.panel_tiles + chunks[number].start)
                    with p.repeat(len(chunks[number]), "tiles of a panel"):
                        self._fetch()
                if number >= ahead:
                    p.load_constant(w, places[number - ahead] + offset)
                    self._products(w, x, len(chunks[number - ahead]), self.hw.tile_elems)
