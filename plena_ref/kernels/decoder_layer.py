"""A stack of pre-norm decoder layers (Llama): X += attention(norm(X)), X += MLP(norm(X)), layer after layer.

How a model uses it, for each of its passes, with the same sizes and in the same order:

    room = Room(hw, start)
    stack = LayerStack.place(hw, shape, layers, positions, room)       # weights, caches; norms in VRAM
    shared = DecoderShared.place(hw, shape, positions, room)           # X, tables of RoPE, constants
    ...                                                                # what else lives as long
    layers = DecoderLayers(hw, shape, stack, shared, room)             # everything else is scratch
    layers.emit(program)

`shape` says how many positions are new (SEQ) and how many the caches hold (PAST). Before the program runs,
`shared.x` holds the residual stream, batches packed; after it, what the last layer left. What the host stages
once: weights of each `stack.layer(n)`, zeros in the caches, `stack.norms`, cos and sin of all positions, the
constants at `shared.norm_constants` (RMSNorm's) and `shared.attention_constants` (attention's).

The layers are a hardware loop: one program text for all of them, so that it is short to make, to fetch and
to decode. INT_MEM words hold how far the layer at hand lies from the first in HBM, and which norm weights are
its own.

VRAM is planned by lifetime: the attention half and the MLP half of a layer use the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from plena_ref.kernels.attention.cached import attention_operator, attention_words, cached_operands
from plena_ref.kernels.cache_store import CacheStore
from plena_ref.kernels.copy_row import CopyRow
from plena_ref.kernels.decoder_shape import DecoderShape
from plena_ref.kernels.layer_stack import LayerStack
from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.linear import LinearKernel
from plena_ref.kernels.operator import Operator
from plena_ref.kernels.program import GP0, Program
from plena_ref.kernels.residual_add import ResidualAddKernel
from plena_ref.kernels.rms_norm import CONSTANTS as NORM_CONSTANTS
from plena_ref.kernels.rms_norm import RmsNormKernel
from plena_ref.kernels.rope import RopeKernel, RopeTables, place_tables
from plena_ref.kernels.rules import KernelError
from plena_ref.kernels.swiglu import SwigluKernel
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: INT_MEM words of the loop over layers: its counter, the HBM origin, the address of the norm weights.
COUNTER, ORIGIN, NORMS = range(3)
LOOP_WORDS = 3


def packed_rows(hw: Hardware, room: Room, name: str, shape: DecoderShape, cols: int) -> BatchedVram:
    """Activations, batches one after the other, as high as whole blocks of BLEN rows."""
    height = round_up(shape.rows, hw.blen)
    return BatchedVram(room.vram.tensor(name, shape.rows, cols, height), shape.batch, shape.seq, shape.seq)


def columns(rows: BatchedVram, first: int, cols: int) -> BatchedVram:
    """Some whole column blocks of activations."""
    return replace(rows, parent=rows.parent.column_view(first, cols))


@dataclass(frozen=True)
class DecoderShared:
    """What all layers of a stack share, for as long as the program.

    Attributes:
        x: the residual stream, packed: what the first layer reads and the last leaves.
        rope: cos and sin of every position a cache can have, and rotate_half's tiles.
        norm_constants, attention_constants: first of the FP_MEM words of each.
        loop_words: first of the INT_MEM words of the loop over layers.
    """

    x: BatchedVram
    rope: RopeTables
    norm_constants: int
    attention_constants: int
    loop_words: int

    @classmethod
    def place(cls, hw: Hardware, shape: DecoderShape, positions: int, room: Room) -> DecoderShared:
        """Places that, X apart, depend on sizes and `positions` only.

        Raises:
            LayoutError: a memory is full.
        """
        rope = place_tables(hw, replace(shape.rope(hw), seq=positions), room)
        norm = room.fp_mem.take("the constants of RMSNorm", NORM_CONSTANTS)
        attention = room.fp_mem.take("the constants of attention", attention_words(hw, shape.attention))
        words = room.int_mem.take("the loop over layers", LOOP_WORDS)
        return cls(packed_rows(hw, room, "X", shape, shape.hidden), rope, norm, attention, words)

    def rope_of(self, shape: DecoderShape) -> RopeTables:
        """The rows of the tables that belong to the new positions.

        Raises:
            KernelError: the tables end before the last of them.
        """
        end = shape.past + shape.seq
        if end > self.rope.cos.rows:
            raise KernelError(
                f"PAST + SEQ = {end} positions, but there is room for {self.rope.cos.rows} (POSITIONS)"
            )
        cos, sin = (table.row_view(shape.past, shape.seq) for table in (self.rope.cos, self.rope.sin))
        return replace(self.rope, cos=cos, sin=sin)


@dataclass(frozen=True)
class LayerStage:
    """One operator of a layer.

    Attributes:
        name: what it is in the layer: "attention norm", "qkv", ...
        operator: what writes it.
        own: it reads or writes HBM tensors of the layer at hand.
    """

    name: str
    operator: Operator
    own: bool = False


class DecoderLayers:
    """A stack of decoder layers on given tensors; the module says how it is used.

    Args:
        hw: the machine.
        shape: sizes, new positions and cached ones.
        stack: tensors of the layers.
        shared: tensors of all of them.
        room: where to take scratch from.

    Attributes:
        stages: the operators of one layer, in program order.
        tensors: what stages hand on, by name: BatchedVram.

    Raises:
        KernelError: the shape breaks a rule, or the caches or tables are too short.
        LayoutError: a memory is full.
    """

    def __init__(
        self, hw: Hardware, shape: DecoderShape, stack: LayerStack, shared: DecoderShared, room: Room
    ) -> None:
        shape.check(hw)
        self.hw, self.shape, self.stack, self.shared = hw, shape, stack, shared
        self.tensors: dict[str, BatchedVram] = {"x": shared.x}
        with room.scratch():
            self.weights = self._norm_weights(room)
            with room.scratch():
                attention = self._attention_half(room)
            with room.scratch():
                mlp = self._mlp_half(room)
        first = [LayerStage("norm weights", self.copy)] if self.copy else []
        self.stages = (*first, *attention, *mlp)

    def _norm_weights(self, room: Room) -> VramTensor:
        """Where the norms find their weights: the table itself, or a copy of the two rows of the layer."""
        self.copy = None
        if self.stack.layers == 1:
            return self.stack.norms
        rows = room.vram.tensor("weights of this layer's norms", 2, self.shape.hidden)
        self.copy = CopyRow(self.hw, self.stack.norms, self.shared.loop_words + NORMS, rows)
        return rows

    def _rows(self, room: Room, name: str, cols: int) -> BatchedVram:
        self.tensors[name] = packed_rows(self.hw, room, name, self.shape, cols)
        return self.tensors[name]

    def _columns(self, name: str, rows: BatchedVram, first: int, cols: int) -> BatchedVram:
        self.tensors[name] = columns(rows, first, cols)
        return self.tensors[name]

    def _norm(self, room: Room, row: int, target: BatchedVram) -> RmsNormKernel:
        with room.scratch():
            weight = self.weights.row_view(row, 1)
            x = self.shared.x.parent
            return RmsNormKernel(self.hw, x, weight, target.parent, self.shared.norm_constants, room)

    def _add(self, product: BatchedVram) -> ResidualAddKernel:
        x = self.shared.x.parent
        return ResidualAddKernel(self.hw, x, product.parent, x)

    def _attention_half(self, room: Room) -> list[LayerStage]:
        hw, shape, own = self.hw, self.shape, self.stack.first
        q_cols, kv_cols = shape.q_cols(hw), shape.kv_cols(hw)
        normed = self._rows(room, "attention norm", shape.hidden)
        qkv = self._rows(room, "qkv", q_cols + 2 * kv_cols)
        q = self._columns("q", qkv, 0, q_cols)
        k = self._columns("k", qkv, q_cols, kv_cols)
        v = self._columns("v", qkv, q_cols + kv_cols, kv_cols)
        turned = self._columns("q and k", qkv, 0, q_cols + kv_cols)
        o = self._rows(room, "attention", q_cols)
        projected = self.tensors["projection"] = normed
        with room.scratch():
            rope = RopeKernel(hw, shape.rope(hw), turned, turned, self.shared.rope_of(shape), room)
        stores = []
        for name, rows, cache in (("k", k, own.caches.k), ("v", v, own.caches.v)):
            with room.scratch():
                place = (cache, own.caches.rows_per_batch, shape.past)
                stores.append(LayerStage(f"{name} cache", CacheStore(hw, rows, *place, room), own=True))
        constants = self.shared.attention_constants
        operands = cached_operands(hw, shape.attention, q, own.caches, o, constants)
        with room.scratch():
            attention = attention_operator(hw, shape.attention, operands, room)
        output = LinearKernel(hw, shape.output(hw), o, own.output, projected)
        return [
            LayerStage("attention norm", self._norm(room, 0, normed)),
            LayerStage("qkv", LinearKernel(hw, shape.qkv(hw), normed, own.qkv, qkv), own=True),
            LayerStage("rope", rope),
            *stores,
            LayerStage("attention", attention, own=True),
            LayerStage("projection", output, own=True),
            LayerStage("attention residual", self._add(projected)),
        ]

    def _mlp_half(self, room: Room) -> list[LayerStage]:
        hw, shape, own = self.hw, self.shape, self.stack.first
        cols = shape.mlp_cols(hw)
        normed = self._rows(room, "mlp norm", shape.hidden)
        both = self._rows(room, "gate and up", 2 * cols)
        gate = self._columns("gate", both, 0, cols)
        up = self._columns("up", both, cols, cols)
        down = self.tensors["down"] = normed
        with room.scratch():
            activation = SwigluKernel(hw, gate.parent, up.parent, gate.parent, room)
        self.tensors["activation"] = gate
        return [
            LayerStage("mlp norm", self._norm(room, 1, normed)),
            LayerStage(
                "gate and up", LinearKernel(hw, shape.gate_up(hw), normed, own.gate_up, both), own=True
            ),
            LayerStage("activation", activation),
            LayerStage("down", LinearKernel(hw, shape.down(hw), gate, own.down, down), own=True),
            LayerStage("mlp residual", self._add(down)),
        ]

    @property
    def title(self) -> str:
        """What they do."""
        return f"{self.stack.layers} decoder layers: {self.shape}"

    def outputs(self) -> list[Region]:
        """X, and the new positions in the caches of all layers."""
        regions = self.shared.x.active_regions()
        for stage in self.stages:
            if isinstance(stage.operator, CacheStore):
                regions += self._of_all_layers(stage.operator.outputs())
        return regions

    def scratch(self) -> list[Region]:
        """What the stages hand on, and their scratch."""
        regions = [region for stage in self.stages for region in stage.operator.scratch()]
        for stage in self.stages:
            if not isinstance(stage.operator, CacheStore | ResidualAddKernel):
                regions += stage.operator.outputs()
        words = self.shared.loop_words
        return [*regions, Region("intmem", words, words + LOOP_WORDS, "the loop over layers")]

    def _of_all_layers(self, regions: Sequence[Region]) -> list[Region]:
        moves = [index * self.stack.stride for index in range(self.stack.layers)]
        return [replace(r, start=r.start + move, stop=r.stop + move) for r in regions for move in moves]

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        if self.stack.layers == 1:
            self._layer(p, "layer 0")
            return
        words = self.shared.loop_words
        with p.gp("a word of the loop") as value:
            for word, start in ((ORIGIN, 0), (NORMS, self.stack.norms.base)):
                p.load_constant(value, start)
                p.S_ST_INT(value, GP0, words + word)
        with p.long_loop(self.stack.layers, words + COUNTER, "decoder layers"):
            self._layer(p, f"layers 0 to {self.stack.layers - 1}")
            with p.gp("a word of the loop") as value:
                for word, step in ((ORIGIN, self.stack.stride), (NORMS, 2 * self.hw.mlen)):
                    p.S_LD_INT(value, GP0, words + word)
                    p.add(value, value, step)
                    p.S_ST_INT(value, GP0, words + word)

    def _layer(self, p: Program, name: str) -> None:
        for stage in self.stages:
            p.mark(f"{name}, {stage.name}: {stage.operator.title}")
            if stage.own and self.stack.layers > 1:
                with p.hbm_origin(self.shared.loop_words + ORIGIN):
                    stage.operator.emit(p)
            else:
                stage.operator.emit(p)
        p.mark(f"{name}, end")
