"""Weights stream through a ring of MSRAM tiles, ahead of the products that read them.

DMA sets the pace of a pass: a tile takes more cycles to come than the array to multiply with. So it must
never be idle. The queue of the HBM unit is short, and a fetch that finds it full holds up dispatch; therefore
a few tiles are asked for at a time, between products and between the steps of other operators. What is asked
for beside the latter is a lead, which later panels use up by fetching fewer tiles than they multiply with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from plena_ref.kernels.language_model.weight_tiles import Panel, WeightTiles
from plena_ref.kernels.program import GP0, Program, Register
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: Tiles beyond those of the next panel that are on their way or there, when nothing else was going on.
MARGIN = 9
#: Of the tiles that a panel multiplies with, the part that is fetched while it uses up a lead.
LEAST_PART = 8 / 9


class TileStream:
    """The tiles of a pass, in order.

    Args:
        hw: the machine.
        tiles: where they lie.
        panels: what is multiplied with them, in order.
        first_slot: MSRAM tiles from this one on are the ring.

    Raises:
        KernelError: the ring is too small for a panel and the first tile of the next.
    """

    def __init__(self, hw: Hardware, tiles: WeightTiles, panels: Sequence[Panel], first_slot: int) -> None:
        self.hw, self.tiles = hw, tiles
        self.first_slot, self.ring = first_slot, hw.msram_tiles - first_slot
        self._sizes = [panel.tiles for panel in panels]
        largest = max(self._sizes)
        if self.ring <= largest:
            raise KernelError(
                f"the weights need MSRAM_TILES > {first_slot + largest}, a panel and {first_slot} tiles for "
                f"attention (got {hw.msram_tiles})"
            )
        self.fetched = self.used = self._panel = 0

    def region(self) -> Region:
        """The ring."""
        elems = self.hw.tile_elems
        stop = (self.first_slot + min(self.ring, self.tiles.count)) * elems
        return Region("msram", self.first_slot * elems, stop, "weights")

    @property
    def lead(self) -> int:
        """Tiles that are asked for and not yet multiplied with."""
        return self.fetched - self.used

    def place(self, tile: int) -> int:
        """MSRAM address of a tile."""
        return (self.first_slot + tile % self.ring) * self.hw.tile_elems

    def begin(self, p: Program, base: Register) -> None:
        """Start a program, which has `base` for the tiles' HBM addresses."""
        self.p, self._base = p, base
        self.fetched = self.used = self._panel = 0

    def prepare(self) -> None:
        """Have the next panel's tiles fetched, and a margin."""
        self.fetch_ahead(self._wanted(self._panel) - self.lead)

    def complete(self) -> None:
        """Have those of the next panel's tiles fetched that found no room in the ring before."""
        self.fetch(max(0, self._sizes[self._panel] - self.lead))

    def fetch_ahead(self, count: int) -> None:
        """Up to `count` more tiles, as far as the ring has room."""
        self.fetch(min(count, self.ring - self.lead))

    def fetch(self, count: int) -> None:
        """The next tiles, as many as are left at most; sets SCALE."""
        count = min(count, self.tiles.count - self.fetched)
        while count > 0:
            run = min(count, self.ring - self.fetched % self.ring)
            with self.fetching() as (place, address), self.p.repeat(run, "tiles of weights"):
                self.fetch_next(place, address)
            self.fetched += run
            count -= run

    def _wanted(self, panel: int) -> int:
        """The lead with which a panel should start."""
        return self._sizes[panel] + MARGIN if panel < len(self._sizes) else 0

    def plan(self) -> int:
        """Tiles to be fetched during the next panel."""
        size = self._sizes[self._panel]
        least = int(size * LEAST_PART)
        wanted = max(size + self._wanted(self._panel + 1) - self.lead, least)
        return max(0, min(wanted, self.ring - self.lead, self.tiles.count - self.fetched))

    def next_panel(self) -> range:
        """The tiles of the next panel; from now on they count as used."""
        tiles = range(self.used, self.used + self._sizes[self._panel])
        self.used, self._panel = tiles.stop, self._panel + 1
        return tiles

    @contextmanager
    def fetching(self) -> Iterator[tuple[Register, Register]]:
        """Registers with the place of the next tile and its HBM address; SCALE is that of tiles."""
        p = self.p
        with p.gps("place of a tile", "HBM address of a tile") as (place, address):
            p.load_constant(place, self.hw.tile_elems)
            p.C_SET_SCALE_REG(place)
            p.load_constant(place, self.place(self.fetched))
            p.load_constant(address, self.tiles.address(self.fetched))
            yield place, address

    def fetch_next(self, place: Register, address: Register) -> None:
        """Fetch the tile at these registers, which step on."""
        p = self.p
        p.C_SET_ADDR_REG(self._base, GP0, address)
        p.H_PREFETCH_M(place, GP0, self._base, 0, 0)
        p.add(place, place, self.hw.tile_elems)
        p.add(address, address, self.tiles.tile_bytes)

    def runs(self, tiles: range) -> Iterator[range]:
        """`tiles` cut where the ring begins anew."""
        while tiles:
            count = min(len(tiles), self.ring - tiles.start % self.ring)
            yield tiles[:count]
            tiles = tiles[count:]
