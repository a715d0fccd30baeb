"""Where everything lies that decoder layers need, and what one of their stages hands on to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from plena_ref.configs.models import DecoderConfig
from plena_ref.kernels.attention.constants import FP_STATE
from plena_ref.kernels.cache_store import cache_rows_per_batch
from plena_ref.kernels.language_model.weight_tiles import LayerColumns, Panel, WeightTiles
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.rms_norm import CONSTANTS
from plena_ref.kernels.rope import RopeShape, RopeTables, place_tables
from plena_ref.machine.hardware import Hardware

#: What moves the rows of a cache: H_STORE_V and H_PREFETCH_M.
CACHE_TRANSFERS = (("m", 0), ("v", 0))


@dataclass(frozen=True)
class LayerMemory:
    """What belongs to one layer.

    Attributes:
        attention_norm, mlp_norm: weights, 1 x hidden in VRAM.
        keys, values: caches in HBM, one for each head of K and V, batches one below the other.
    """

    attention_norm: VramTensor
    mlp_norm: VramTensor
    keys: tuple[HbmTensor, ...]
    values: tuple[HbmTensor, ...]


class DecoderMemory:
    """The places of decoder layers on one machine.

    Args:
        hw: the machine.
        config: the model's sizes.
        panels: of all weights that one pass streams.
        layers: how many layers.
        batch, chunk: sequences, and tokens of each in a pass at most.
        positions: how many of each sequence the caches hold.
        room: where everything is placed.

    Attributes:
        columns: of what stages hand on.
        panels, weights: the weights in the order of a pass, and where they lie in HBM.
        rows_per_batch: rows of a cache from batch to batch.
        layers: see `LayerMemory`.
        rope: cos and sin of a pass's positions in VRAM, and the tiles of rotate_half in HBM.
        x, normed, product: the residual stream, what a norm left, what is added to the stream.
        qkv, mixed: queries, keys and values side by side, and what attention made of them.
        gate, up: of the MLP; in the words of `qkv` and `mixed`, whose time is over then.
        norm_constants, attention_constants: FP_MEM words that the host stages.

    Raises:
        LayoutError: a memory is full; names the tensor and the parameter to raise.
    """

    def __init__(
        self,
        hw: Hardware,
        config: DecoderConfig,
        panels: Iterable[Panel],
        layers: int,
        batch: int,
        chunk: int,
        positions: int,
        room: Room,
    ) -> None:
        self.hw, self.config, self.room = hw, config, room
        self.batch, self.chunk, self.positions = batch, chunk, positions
        self.columns = wide = LayerColumns.of(hw, config)
        self.panels = tuple(panels)
        self.weights = WeightTiles.place(hw, self.panels, room)
        self.rows_per_batch = cache_rows_per_batch(hw, positions)
        self.layers = tuple(self._layer(index) for index in range(layers))
        heads = config.heads + config.kv_heads
        shape = RopeShape(1, chunk, heads, config.head_dim, wide.head)
        self.rope: RopeTables = place_tables(hw, shape, room)
        self.x = self._rows("x", config.hidden)
        self.normed = self._rows("normed", config.hidden)
        self.product = self._rows("product", config.hidden)
        qkv = wide.q + 2 * wide.kv
        half = self._rows("half a layer", max(qkv + wide.q, 2 * wide.mlp))
        self.qkv = _part(half, "q, k, v", 0, qkv)
        self.mixed = _part(half, "attention", qkv, wide.q)
        self.gate = _part(half, "gate", 0, config.intermediate)
        self.up = _part(half, "up", wide.mlp, config.intermediate)
        self.norm_constants = room.fp_mem.take("the constants of RMSNorm", CONSTANTS)
        self.attention_constants = room.fp_mem.take("the constants of attention", FP_STATE)

    def _rows(self, name: str, cols: int) -> VramTensor:
        """A tensor of all rows of a pass, up to whole systolic blocks."""
        rows = self.batch * self.chunk
        return self.room.vram.tensor(name, rows, cols, round_up(rows, self.hw.blen))

    def _layer(self, index: int) -> LayerMemory:
        room, rows = self.room, self.batch * self.rows_per_batch

        def caches(what: str) -> tuple[HbmTensor, ...]:
            return tuple(
                room.hbm.tensor(
                    f"layer {index} {what}, head {head}", rows, self.columns.head, CACHE_TRANSFERS
                )
                for head in range(self.config.kv_heads)
            )

        def norm(what: str) -> VramTensor:
            return room.vram.tensor(f"layer {index} {what} norm", 1, self.config.hidden)

        return LayerMemory(norm("attention"), norm("mlp"), caches("keys"), caches("values"))


def _part(tensor: VramTensor, name: str, first: int, cols: int) -> VramTensor:
    """Some columns under a name of their own."""
    return replace(tensor.column_view(first, cols), name=name)
