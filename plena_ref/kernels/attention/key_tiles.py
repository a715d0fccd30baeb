"""K and V in MSRAM: which slot holds which key tile, and what has still to be fetched."""

from __future__ import annotations

from collections.abc import Callable

from plena_ref.kernels.attention.head_pointers import KV_HEAD, HeadPointers
from plena_ref.kernels.attention.operands import AttentionOperands
from plena_ref.kernels.attention.tiling import KeyTile
from plena_ref.kernels.layout.hbm import HbmTensor
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
        self._load(p, keys, self.operands.k, self.keys_at)

    def load_values(self, p: Program, keys: tuple[KeyTile, ...]) -> None:
        """The same for V."""
        self._load(p, keys, self.operands.v, lambda slot: self.values_at(slot, 0))

    def _load(
        self, p: Program, keys: tuple[KeyTile, ...], tensor: HbmTensor, address: Callable[[int], int]
    ) -> None:
        mlen = self.hw.mlen
        for key in keys:
            slot = self.slot(key)
            if self._loaded.get((tensor.name, slot)) == key.index:
                continue
            self._loaded[tensor.name, slot] = key.index
            self._used.add(slot)
            for block in range(self.blocks):
                with (
                    p.gp("MSRAM tile") as tile,
                    self.pointers.load(p, KV_HEAD, "HBM offset of the head") as offset,
                ):
                    p.load_constant(tile, address(slot) + block * self.hw.tile_elems)
                    p.add(offset, offset, tensor.offset(key.index * mlen, block * mlen))
                    what = f"{tensor.name} tile {key.index}, block {block}"
                    p.H_PREFETCH_M(tile, offset, self._bases[tensor.name], 1, 0, comment=what)
