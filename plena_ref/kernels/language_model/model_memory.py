"""Where everything lies that a model needs from pass to pass, and what one pass hands from stage to stage."""

from __future__ import annotations

from dataclasses import dataclass

from plena_ref.configs.models import DecoderConfig
from plena_ref.kernels.cache_store import cache_rows_per_batch
from plena_ref.kernels.embedding import EmbeddingTable
from plena_ref.kernels.language_model.weight_tiles import WeightTiles, check_model
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.rms_norm import CONSTANTS
from plena_ref.kernels.rope import RopeShape, RopeTables, place_tables
from plena_ref.machine.hardware import Hardware

#: FP_MEM words of attention's constants (`AttentionOperands.constants`).
ATTENTION_CONSTANTS = 10
#: What moves the rows of a cache: H_STORE_V and H_PREFETCH_M.
CACHE_TRANSFERS = (("m", 0), ("v", 0))


@dataclass(frozen=True)
class LayerMemory:
    """What belongs to one layer.

    Attributes:
        attention_norm, mlp_norm: weights, 1 x hidden in VRAM.
        keys, values: caches in HBM, one a head of K and V.
    """

    attention_norm: VramTensor
    mlp_norm: VramTensor
    keys: tuple[HbmTensor, ...]
    values: tuple[HbmTensor, ...]


class ModelMemory:
    """The places of one model on one machine.

    Args:
        hw: the machine.
        config: the model's sizes.
        positions: how many the caches hold.
        chunk: tokens of a pass at most.

    Attributes:
        room: what is left; a pass takes its scratch from it.
        weights, embedding: in HBM; the embedding is the last tensor below LIMIT.
        layers: see `LayerMemory`.
        final_norm: weights, 1 x hidden in VRAM.
        rope: cos and sin of a pass's positions in VRAM, and the tiles of rotate_half in HBM.
        x, normed, qkv, mixed, product, gate, up: what stages hand on, chunk rows each.
        logits: chunk x vocabulary.
        ids: first of the INT_MEM words with the token ids.
        norm_constants, attention_constants: FP_MEM words that the host stages.

    Raises:
        KernelError: a size of the model does not go with the machine.
        LayoutError: a memory is full; names the tensor and the parameter to raise.
    """

    def __init__(self, hw: Hardware, config: DecoderConfig, positions: int, chunk: int) -> None:
        check_model(hw, config)
        self.hw, self.config, self.positions, self.chunk = hw, config, positions, chunk
        self.room = room = Room(hw, hw.mlen * hw.mlen)
        self.weights = WeightTiles.place(hw, config, room)
        self.layers = tuple(self._layer(index) for index in range(config.layers))
        self.final_norm = room.vram.tensor("final norm", 1, config.hidden)
        heads = config.heads + config.kv_heads
        shape = RopeShape(1, chunk, heads, config.head_dim, config.head_dim)
        self.rope: RopeTables = place_tables(hw, shape, room)
        q, kv = config.heads * config.head_dim, config.kv_heads * config.head_dim
        self.x = self._rows("x", config.hidden)
        self.normed = self._rows("normed", config.hidden)
        self.qkv = self._rows("q, k, v", q + 2 * kv)
        self.mixed = self._rows("attention", q)
        self.product = self._rows("product", config.hidden)
        self.gate = self._rows("gate", config.intermediate)
        self.up = self._rows("up", config.intermediate)
        self.logits = self._rows("logits", config.vocabulary)
        self.ids = room.int_mem.take("token ids", chunk)
        self.norm_constants = room.fp_mem.take("the constants of RMSNorm", CONSTANTS)
        self.attention_constants = room.fp_mem.take("the constants of attention", ATTENTION_CONSTANTS)
        self.embedding = EmbeddingTable.place(hw, config.vocabulary, config.hidden, room)

    def _rows(self, name: str, cols: int) -> VramTensor:
        """A tensor of the chunk's rows, up to whole systolic blocks."""
        return self.room.vram.tensor(name, self.chunk, cols, round_up(self.chunk, self.hw.blen))

    def _layer(self, index: int) -> LayerMemory:
        room, config = self.room, self.config
        rows = cache_rows_per_batch(self.hw, self.positions)

        def caches(what: str) -> tuple[HbmTensor, ...]:
            return tuple(
                room.hbm.tensor(f"layer {index} {what}, head {head}", rows, config.head_dim, CACHE_TRANSFERS)
                for head in range(config.kv_heads)
            )

        norms = [
            room.vram.tensor(f"layer {index} {what} norm", 1, config.hidden) for what in ("attention", "mlp")
        ]
        return LayerMemory(*norms, caches("keys"), caches("values"))

    @property
    def limit(self) -> int:
        """HBM bytes that belong to data: what LIMIT holds."""
        return self.room.hbm.next_free
