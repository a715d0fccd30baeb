"""Where flash attention keeps what it works on: the scratch of one kernel, and what the program may write."""

from __future__ import annotations

from plena_ref.kernels.attention.base import AttentionBase
from plena_ref.kernels.attention.head_pointers import INT_POINTERS, HeadPointers
from plena_ref.kernels.attention.key_tiles import KeyTiles
from plena_ref.kernels.attention.masks import MaskTensors
from plena_ref.kernels.attention.operands import AttentionOperands
from plena_ref.kernels.attention.runs import RUN, RunTotals, run_length
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.attention.tiling import query_tiles
from plena_ref.kernels.layout.allocators import VramAllocator
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: Key tiles of a block at most: each is written out in the softmax of a row.
BLOCK_TILES = 8


class FlashMemory(AttentionBase):
    """Multi-head attention on given tensors; arguments as in `AttentionBase`.

    Raises:
        KernelError: the shape breaks a rule.
        LayoutError: a memory is full.
    """

    #: The first product goes straight to the accumulator, so O may hold anything before the run.
    needs_finite_output = False
    #: INT_MEM words that it uses.
    int_pointers = INT_POINTERS

    def __init__(self, hw: Hardware, shape: AttentionShape, operands: AttentionOperands, room: Room) -> None:
        self.hw = hw
        self.shape = shape
        self.operands = operands
        self.blocks = -(-self.operands.head_cols // hw.mlen)
        self.tiles = query_tiles(shape, hw.mlen)
        #: INT_MEM words behind the pointers for the counters of the loops over batches and heads.
        self.counter_words = 3 if self.blocks > 1 or shape.sinks else 0
        words = self.int_pointers + self.counter_words
        self.pointers = HeadPointers(hw, operands, self.blocks, words, room)
        self.kv = KeyTiles(hw, operands, self.blocks, self.pointers)
        present = {key.index for tile in self.tiles for key in tile.key_tiles}
        #: All key tiles stay in MSRAM for the query heads that share them.
        self.resident = shape.group > 1 and len(present) <= self.kv.slots
        self.state = operands.take_state(room, self.state_words)
        self._place_scratch(room.vram)

    @property
    def state_words(self) -> int:
        """FP_MEM words of the softmax state."""
        return 3 * self.hw.mlen

    def _place_scratch(self, vram: VramAllocator) -> None:
        mlen, cols = self.hw.mlen, self.blocks * self.hw.mlen
        self.q_scaled = vram.tensor("Qs", mlen, cols)
        self.accumulator = vram.tensor("Oacc", mlen, cols)
        rows = min(mlen, self.shape.seq)
        self.masks = MaskTensors(self.hw, self.tiles, rows, self.stages_scores, vram)
        self._place_scores(vram)

    def _place_scores(self, vram: VramAllocator) -> None:
        """S, as many key tiles wide as fit, PV if that is not all of them, and what joins runs of blocks."""
        mlen, rows = self.hw.mlen, self.score_rows
        longest = max(len(tile.key_tiles) for tile in self.tiles)

        def width() -> int:
            room = (self.hw.vram_elems - vram.next_free) // (rows * mlen)
            return max(1, min(longest, BLOCK_TILES, self.kv.slots, room))

        self._product: VramTensor | None = None
        self._totals: RunTotals | None = None
        if self.needs_product or width() < longest:
            self._product = vram.tensor("PV", mlen, self.blocks * mlen)
        if longest > RUN * width():
            self._totals = RunTotals(self.hw, mlen, self.blocks * mlen, vram)
        self.block_tiles = width()
        #: Key blocks whose outputs and sums are added one after the other.
        self.run_blocks = run_length(-(-longest // self.block_tiles))
        self.scores = vram.tensor("S", rows, self.block_tiles * mlen)

    @property
    def totals(self) -> RunTotals:
        """What joins the runs of a query tile; there is none where each has one run."""
        assert self._totals is not None
        return self._totals

    #: Scores under a mask lie apart (`MaskTensors`).
    stages_scores = True

    @property
    def product(self) -> VramTensor:
        """Where P V goes when it is added up; there is none where that is not done."""
        assert self._product is not None
        return self._product

    @property
    def score_rows(self) -> int:
        """Rows of the tensor of scores."""
        return self.hw.mlen

    @property
    def sum_offset(self) -> int:
        """FP_MEM words from a row's running maximum to its sum."""
        return 2 * self.hw.mlen

    @property
    def needs_product(self) -> bool:
        """P V goes through scratch even when a query tile has one block."""
        return False

    def scratch(self) -> list[Region]:
        """Every other word that the program may write; complete once `emit` has run."""
        tensors = [self.q_scaled, self.scores, self.accumulator, self._product, *self.masks.scratch()]
        tensors += self._totals.tensors() if self._totals is not None else []
        regions = [Region("vram", t.base, t.base + t.elems, t.name) for t in tensors if t is not None]
        regions += self.kv.regions()
        regions.append(Region("fpmem", self.state, self.state + self.state_words, "softmax state"))
        return [*regions, self.pointers.region()]
