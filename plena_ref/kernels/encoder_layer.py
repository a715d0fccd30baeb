"""A vision encoder layer (ViT): X += attention(norm(X)), X += MLP(norm(X)), with LayerNorm, biases and GELU.

K and V go to HBM by H_STORE_V and attention reads them back, as in a decoder, but nothing is masked. VRAM is
planned by lifetime: the attention half and the MLP half use the same words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from plena_ref.kernels.attention.cached import Caches, attention_operator, attention_words, cached_operands
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.cache_store import CacheStore
from plena_ref.kernels.gelu import GeluKernel
from plena_ref.kernels.layer_norm import LayerNormKernel
from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.linear import LinearKernel, LinearShape, place_panels
from plena_ref.kernels.operator import Operator
from plena_ref.kernels.program import Program
from plena_ref.kernels.residual_add import ResidualAddKernel
from plena_ref.kernels.rms_norm import CONSTANTS as NORM_CONSTANTS
from plena_ref.kernels.rms_norm import NormOperands
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region


@dataclass(frozen=True)
class EncoderShape:
    """A vision encoder layer.

    Attributes:
        batch, seq: images, and patches of each.
        hidden, heads, head_dim, intermediate: as in `plena_ref.configs.models.EncoderConfig`.
    """

    batch: int
    seq: int
    hidden: int
    heads: int
    head_dim: int
    intermediate: int

    def check(self, hw: Hardware) -> None:
        """Refuse what a layer cannot be.

        Raises:
            KernelError: names the rule.
        """
        for name in ("batch", "seq", "hidden", "heads", "head_dim", "intermediate"):
            if getattr(self, name) < 1:
                raise KernelError(f"{name.upper()} must be at least 1 (got {getattr(self, name)})")
        self.attention.check(hw)
        for layer in self.layers(hw).values():
            layer.check(hw)

    @property
    def attention(self) -> AttentionShape:
        """Attention of all patches to all."""
        return AttentionShape(self.batch, self.seq, self.seq, self.heads, self.head_dim, False, True)

    def head_cols(self, hw: Hardware) -> int:
        """Columns from head to head."""
        return round_up(self.head_dim, hw.mlen)

    def layers(self, hw: Hardware) -> dict[str, LinearShape]:
        """The linear layers, all widths padded to whole column blocks."""
        heads, hidden = self.heads * self.head_cols(hw), round_up(self.hidden, hw.mlen)
        mlp = round_up(self.intermediate, hw.mlen)
        sizes = {
            "qkv": (self.hidden, 3 * heads),
            "projection": (heads, hidden),
            "up": (self.hidden, mlp),
            "down": (mlp, hidden),
        }
        return {name: LinearShape(self.batch, self.seq, *size) for name, size in sizes.items()}


@dataclass(frozen=True)
class EncoderTensors:
    """What the host stages, and the residual stream.

    Attributes:
        x: the residual stream, packed: what the layer reads and what it leaves.
        panels: weights of each linear layer in HBM, by name.
        biases: of each linear layer in VRAM, 1 x its outputs.
        norms: weight and bias of "attention norm" and "mlp norm", each 1 x hidden.
        caches: K and V in HBM; rows after the last patch hold zeros.
        norm_constants, attention_constants, gelu_constants: first of the FP_MEM words of each.
        gelu_terms: coefficients of GELU's formula.
    """

    x: BatchedVram
    panels: dict[str, list[HbmTensor]]
    biases: dict[str, VramTensor]
    norms: dict[str, tuple[VramTensor, VramTensor]]
    caches: Caches
    norm_constants: int
    attention_constants: int
    gelu_constants: int
    gelu_terms: int

    @classmethod
    def place(
        cls, hw: Hardware, shape: EncoderShape, gelu_terms: int, gelu_words: int, room: Room
    ) -> EncoderTensors:
        """Places of everything that lives as long as the program.

        Args:
            hw, shape, room: the machine, the sizes, and where to place them.
            gelu_terms, gelu_words: coefficients of GELU's formula, and its FP_MEM words.

        Raises:
            KernelError: the shape breaks a rule.
            LayoutError: a memory is full.
        """
        shape.check(hw)
        layers, vram, fp_mem = shape.layers(hw), room.vram, room.fp_mem
        return cls(
            _rows(hw, room, "X", shape, shape.hidden),
            {name: place_panels(hw, layer, room) for name, layer in layers.items()},
            {name: vram.tensor(f"bias of {name}", 1, layer.out_features) for name, layer in layers.items()},
            {
                name: (
                    vram.tensor(f"weight of {name}", 1, shape.hidden),
                    vram.tensor(f"bias of {name}", 1, shape.hidden),
                )
                for name in ("attention norm", "mlp norm")
            },
            Caches.place(hw, shape.attention, shape.seq, room),
            fp_mem.take("the constants of LayerNorm", NORM_CONSTANTS),
            fp_mem.take("the constants of attention", attention_words(hw, shape.attention)),
            fp_mem.take("the constants of GELU", gelu_words),
            gelu_terms,
        )


def _rows(hw: Hardware, room: Room, name: str, shape: EncoderShape, cols: int) -> BatchedVram:
    rows = shape.batch * shape.seq
    tensor = room.vram.tensor(name, rows, cols, round_up(rows, hw.blen))
    return BatchedVram(tensor, shape.batch, shape.seq, shape.seq)


@dataclass(frozen=True)
class LayerStage:
    """One operator of a layer.

    Attributes:
        name: what it is in the layer: "attention norm", "qkv", ...
        operator: what writes it.
    """

    name: str
    operator: Operator


class EncoderLayer:
    """A vision encoder layer on given tensors.

    Args:
        hw: the machine.
        shape: sizes.
        own: from `EncoderTensors.place`.
        room: where to take scratch from.

    Attributes:
        stages: the operators, in program order.
        tensors: what stages hand on, by name.

    Raises:
        LayoutError: a memory is full.
    """

    def __init__(self, hw: Hardware, shape: EncoderShape, own: EncoderTensors, room: Room) -> None:
        self.hw, self.shape, self.own = hw, shape, own
        self.tensors: dict[str, BatchedVram] = {"x": own.x}
        with room.scratch():
            attention = self._attention_half(room)
        with room.scratch():
            mlp = self._mlp_half(room)
        self.stages = (*attention, *mlp)

    def _new(self, room: Room, name: str, cols: int) -> BatchedVram:
        self.tensors[name] = _rows(self.hw, room, name, self.shape, cols)
        return self.tensors[name]

    def _norm(self, room: Room, name: str, target: BatchedVram) -> LayerStage:
        weight, bias = self.own.norms[name]
        with room.scratch():
            x, constants = self.own.x.parent, self.own.norm_constants
            operands = NormOperands(x, weight, target.parent, constants)
            return LayerStage(name, LayerNormKernel(self.hw, operands, bias, room))

    def _linear(self, name: str, x: BatchedVram, y: BatchedVram) -> LayerStage:
        layer, own = self.shape.layers(self.hw)[name], self.own
        return LayerStage(name, LinearKernel(self.hw, layer, x, own.panels[name], y, own.biases[name]))

    def _add(self, name: str, product: BatchedVram) -> LayerStage:
        x = self.own.x.parent
        return LayerStage(name, ResidualAddKernel(self.hw, x, product.parent, x))

    def _attention_half(self, room: Room) -> list[LayerStage]:
        hw, shape, own = self.hw, self.shape, self.own
        cols = shape.heads * shape.head_cols(hw)
        normed = self._new(room, "attention norm", shape.hidden)
        qkv = self._new(room, "qkv", 3 * cols)
        q, k, v = (replace(qkv, parent=qkv.parent.column_view(n * cols, cols)) for n in range(3))
        o = self._new(room, "attention", cols)
        self.tensors |= {"q": q, "k": k, "v": v, "projection": normed}
        stores = []
        for name, rows, cache in (("k", k, own.caches.k), ("v", v, own.caches.v)):
            with room.scratch():
                store = CacheStore(hw, rows, cache, own.caches.rows_per_batch, 0, room)
                stores.append(LayerStage(f"{name} cache", store))
        operands = cached_operands(hw, shape.attention, q, own.caches, o, own.attention_constants)
        with room.scratch():
            attention = attention_operator(hw, shape.attention, operands, room)
        between = [*stores, LayerStage("attention", attention)]
        return self._half(room, "attention", normed, ("qkv", qkv), between, ("projection", o))

    def _mlp_half(self, room: Room) -> list[LayerStage]:
        hw, shape, own = self.hw, self.shape, self.own
        normed = self._new(room, "mlp norm", shape.hidden)
        up = self._new(room, "up", shape.layers(hw)["up"].out_features)
        self.tensors |= {"activation": up, "down": normed}
        with room.scratch():
            gelu = GeluKernel(hw, up.parent, up.parent, own.gelu_terms, own.gelu_constants, room)
        return self._half(room, "mlp", normed, ("up", up), [LayerStage("activation", gelu)], ("down", up))

    def _half(
        self,
        room: Room,
        name: str,
        normed: BatchedVram,
        into: tuple[str, BatchedVram],
        between: list[LayerStage],
        back: tuple[str, BatchedVram],
    ) -> list[LayerStage]:
        """X += half(norm(X)).

        Args:
            room: where the norm takes its scratch from.
            name: of the half.
            normed: the norm's result, and at last that of the half.
            into: the first linear layer, and its result.
            between: what is done with that.
            back: the last linear layer, and what it reads.
        """
        return [
            self._norm(room, f"{name} norm", normed),
            self._linear(into[0], normed, into[1]),
            *between,
            self._linear(back[0], back[1], normed),
            self._add(f"{name} residual", normed),
        ]

    @property
    def title(self) -> str:
        """What it does."""
        return f"vision encoder layer: {self.shape}"

    def outputs(self) -> list[Region]:
        """X, and K and V in HBM."""
        stores = [stage.operator for stage in self.stages if isinstance(stage.operator, CacheStore)]
        return self.own.x.active_regions() + [region for store in stores for region in store.outputs()]

    def scratch(self) -> list[Region]:
        """What the stages hand on, and their scratch."""
        regions = [region for stage in self.stages for region in stage.operator.scratch()]
        for stage in self.stages:
            if not isinstance(stage.operator, CacheStore | ResidualAddKernel):
                regions += stage.operator.outputs()
        return regions

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        for stage in self.stages:
            p.mark(f"layer 0, {stage.name}: {stage.operator.title}")
            stage.operator.emit(p)
        p.mark("layer 0, end")
