"""K and V in MSRAM: which slot holds which key tile, and what has still to be fetched."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from plena_ref.kernels.attention.head_pointers import KV_HEAD, HeadPointers
from plena_ref.kernels.attention.operands import AttentionOperands
from plena_ref.kernels.attention.tiling import KeyTile
from plena_ref.kernels.program import Program, Register
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region


class KeyTiles:
    """Slots of MSRAM, each with room for a key tile of K and of V in all column blocks of a head.

    Args:
        hw: the machine.
        operands: K and V.
        blocks: column blocks of a head.
        pointers: where the head at hand begins.

    Raises:
        KernelError: MSRAM does not hold one key tile.
    """

    def __init__(
        self, hw: Hardware, operands: AttentionOperands, blocks: int, pointers: HeadPointers
    ) -> None:
        self.hw, self.operands, self.blocks, self.pointers = hw, operands, blocks, pointers
        per_key_tile = 2 * blocks
        self.slots = hw.msram_tiles // per_key_tile
        if self.slots == 0:
            raise KernelError(
                f"a key tile needs MSRAM_TILES >= 2*ceil(HEAD_DIM/MLEN) = {per_key_tile} "
                f"(got {hw.msram_tiles})"
            )
        self._loaded: dict[tuple[str, int], int] = {}
        self._used: set[int] = set()

    def regions(self) -> list[Region]:
        """The slots that the program fills; complete once it is written."""
        elems = 2 * self.blocks * self.hw.tile_elems
        return [
            Region("msram", slot * elems, (slot + 1) * elems, f"K, V slot {slot}")
            for slot in sorted(self._used)
        ]

    def begin(self, k: Register, v: Register) -> None:
        """Nothing is loaded; `k` and `v` hold the HBM bases."""
        self._bases = {"K": k, "V": v}
        self.forget()

    def forget(self) -> None:
        """What is loaded belongs to another head."""
        self._loaded = {}

    def slot(self, key: KeyTile) -> int:
        """The slot of a key tile."""
        return key.index % self.slots

    def keys_at(self, slot: int) -> int:
        """MSRAM address of K of a slot, in the first column block."""
        return slot * 2 * self.blocks * self.hw.tile_elems

    def values_at(self, slot: int, block: int) -> int:
        """MSRAM address of V of a slot, in a column block."""
        return self.keys_at(slot) + (self.blocks + block) * self.hw.tile_elems

    def load_keys(self, p: Program, keys: tuple[KeyTile, ...]) -> None:
        """Prefetch K of these key tiles where its slot does not hold it yet."""
        for fetch in self.fetches("K", keys):
            fetch(p)

    def load_values(self, p: Program, keys: tuple[KeyTile, ...]) -> None:
        """The same for V."""
        for fetch in self.fetches("V", keys):
            fetch(p)

    def fetches(self, name: str, keys: tuple[KeyTile, ...]) -> list[Callable[[Program], None]]:
        """What prefetches "K" or "V" of these key tiles, where needed; from now on they count as loaded."""
        found: list[Callable[[Program], None]] = []
        for key in keys:
            slot = self.slot(key)
            if self._loaded.get((name, slot)) == key.index:
                continue
            self._loaded[name, slot] = key.index
            self._used.add(slot)
            found += [partial(self._fetch, name, key, block) for block in range(self.blocks)]
        return found

    def _fetch(self, name: str, key: KeyTile, block: int, p: Program) -> None:
        slot = self.slot(key)
        address = self.keys_at(slot) if name == "K" else self.values_at(slot, 0)
        tensor = self.operands.k if name == "K" else self.operands.v
        place = tensor.offset(key.index * self.hw.mlen, block * self.hw.mlen)
        with ExitStack() as stack:
            tile = stack.enter_context(p.gp("MSRAM tile"))
            if self.operands.shape.batch * self.operands.shape.kv_heads == 1:
                offset = stack.enter_context(p.gp("HBM offset"))
                p.load_constant(offset, place)
            else:
                load = self.pointers.load(p, KV_HEAD, "HBM offset of the head")
                offset = stack.enter_context(load)
                p.add(offset, offset, place, spare=tile)
            p.load_constant(tile, address + block * self.hw.tile_elems)
            what = f"{name} tile {key.index}, block {block}"
            p.H_PREFETCH_M(tile, offset, self._bases[name], 1, 0, comment=what)
