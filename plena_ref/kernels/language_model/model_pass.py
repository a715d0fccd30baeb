"""One pass of a decoder: token ids in INT_MEM to logits in VRAM; its keys and values go into the caches.

The layers are written one after the other. Weights come in one stream (tile_stream.py), a panel of MLEN
outputs at a time, and what follows a product panel by panel runs beside the products of the next panel:
RoPE, SwiGLU, both residual adds. What needs a whole row (the norms) or the caches (attention) stands between
the products; before it, weights are fetched ahead. docs/language_model.md says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from plena_ref.kernels.attention.decode import DecodeAttentionKernel
from plena_ref.kernels.attention.flash import AttentionKernel
from plena_ref.kernels.attention.operands import AttentionOperands
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.cache_store import CacheStore
from plena_ref.kernels.embedding import EmbeddingKernel
from plena_ref.kernels.language_model.model_memory import LayerMemory, ModelMemory
from plena_ref.kernels.language_model.stream_linear import StreamLinear
from plena_ref.kernels.language_model.tile_stream import TileStream
from plena_ref.kernels.language_model.weight_tiles import Panel, model_panels
from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.operator import Operator
from plena_ref.kernels.program import Program
from plena_ref.kernels.residual_add import ResidualAddKernel
from plena_ref.kernels.rms_norm import RmsNormKernel
from plena_ref.kernels.rope import RopeKernel, RopeShape
from plena_ref.kernels.rules import KernelError
from plena_ref.kernels.swiglu import SwigluKernel

#: Key tiles that attention keeps in MSRAM, K and V each; a longer cache takes turns.
KEY_TILES = 4
#: Tiles of weights that are asked for before an operator that does without: what the HBM unit's queue holds.
AHEAD = 4


@dataclass(frozen=True)
class PassShape:
    """Which tokens a pass is about.

    Attributes:
        rows: tokens.
        position: of the first; the caches hold those before it.
    """

    rows: int
    position: int

    def check(self, memory: ModelMemory) -> None:
        """Refuse what does not fit.

        Raises:
            KernelError: names the rule.
        """
        if not 1 <= self.rows <= memory.chunk:
            raise KernelError(f"a pass has 1 to {memory.chunk} tokens (got {self.rows})")
        if self.position + self.rows > memory.positions:
            raise KernelError(
                f"positions up to {self.position + self.rows - 1} do not fit caches of {memory.positions}"
            )


class ModelPass:
    """The program of one pass.

    Args:
        memory: where everything lies.
        shape: which tokens it is about.

    Raises:
        KernelError: it does not fit the caches, or the weights do not fit MSRAM.
        LayoutError: VRAM has no room for its scratch.
    """

    def __init__(self, memory: ModelMemory, shape: PassShape) -> None:
        shape.check(memory)
        self.memory, self.shape, self.hw = memory, shape, memory.hw
        self.config = memory.config
        self.head_blocks = self.config.head_dim // self.hw.mlen
        attention_tiles = 2 * self.head_blocks * KEY_TILES
        self.attention_hw = replace(self.hw, msram_tiles=min(attention_tiles, self.hw.msram_tiles))
        self.panels = list(model_panels(self.hw, self.config))
        self.stream = TileStream(self.hw, memory.weights, self.panels, attention_tiles)

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        memory = self.memory
        self.p = p
        with p.hbm_base("tiles of weights") as base:
            self.stream.begin(p, base)
            self._embed()
            for index, layer in enumerate(memory.layers):
                self._layer(index, layer)
            self._norm("final norm", memory.final_norm)
            panels = [panel for panel in self.panels if panel.layer is None]
            self._multiply("output head", panels, memory.normed, lambda panel: (memory.logits, panel.first))

    # Parts of a pass

    def _active(self, tensor: VramTensor) -> VramTensor:
        """The rows of the pass's tokens."""
        return tensor.row_view(0, self.shape.rows)

    def _run(self, operator: Operator, name: str) -> None:
        """Write an operator, with its name in the listing."""
        self.p.comment(f"{name}: {operator.title}")
        operator.emit(self.p)

    def _embed(self) -> None:
        """x, and zeros in the rows after the last token of what products read."""
        memory, p = self.memory, self.p
        self.stream.prepare()
        with memory.room.scratch():
            x = self._active(memory.x)
            self._run(EmbeddingKernel(self.hw, memory.embedding, memory.ids, x, memory.room), "embedding")
        for tensor in (memory.normed, memory.mixed):
            self._clear_after(p, tensor)

    def _clear_after(self, p: Program, tensor: VramTensor) -> None:
        """Rows after the last token, up to whole systolic blocks, become 0."""
        count = tensor.physical_rows - self.shape.rows
        if not count:
            return
        with p.gp("row") as row, p.gp("shift distance") as distance:
            p.load_constant(distance, self.hw.mlen)
            p.point(row, tensor, self.shape.rows)
            with p.repeat(tensor.column_blocks, f"rows of {tensor.name} after the last token are 0"):
                with p.repeat(count):
                    p.V_SHFT_V(row, row, distance)
                    p.add(row, row, self.hw.mlen)
                p.add(row, row, tensor.block_stride - count * self.hw.mlen)

    def _norm(self, name: str, weight: VramTensor) -> None:
        """normed = RMSNorm of x."""
        memory = self.memory
        self.stream.fetch_ahead(AHEAD)
        with memory.room.scratch():
            x, y = self._active(memory.x), self._active(memory.normed)
            norm = RmsNormKernel(self.hw, x, weight, y, memory.norm_constants, memory.room)
            self._run(norm, name)

    def _multiply(
        self,
        name: str,
        panels: list[Panel],
        x: VramTensor,
        target: Callable[[Panel], tuple[VramTensor, int]],
        follow: Callable[[Panel], None] | None = None,
    ) -> None:
        """The products of `panels` with X, and after each panel but the first what follows the one before.

        Args:
            name: for the listing.
            panels: the next ones of the stream.
            x: rows of inputs.
            target: where a panel's outputs go: a tensor and its first column.
            follow: writes what is done with a panel's outputs.
        """
        linear = StreamLinear(self.p, self.stream, self.shape.rows)
        before = None
        for panel in panels:
            self.p.comment(f"{name}: {panel.matrix}, outputs {panel.first} and up")
            linear.panel(x, *target(panel))
            if before is not None and follow is not None:
                follow(before)
            before = panel
        if follow is not None:
            follow(panels[-1])

    def _layer(self, index: int, layer: LayerMemory) -> None:
        memory, name = self.memory, f"layer {index}"
        panels: dict[str, list[Panel]] = {}
        for panel in self.panels:
            if panel.layer == index:
                panels.setdefault(panel.matrix, []).append(panel)
        self._norm(f"{name} attention norm", layer.attention_norm)
        self._project_heads(name, panels)
        self._attend(name, layer)
        self._multiply(
            name,
            panels["o"],
            memory.mixed,
            lambda panel: (memory.product, panel.first),
            lambda panel: self._add_product(name, panel),
        )
        self._norm(f"{name} mlp norm", layer.mlp_norm)
        gated = [panel for pair in zip(panels["gate"], panels["up"], strict=True) for panel in pair]
        self._multiply(
            name,
            gated,
            memory.normed,
            lambda panel: (memory.gate if panel.matrix == "gate" else memory.up, panel.first),
            lambda panel: self._activate(name, panel),
        )
        self._multiply(
            name,
            panels["down"],
            memory.gate,
            lambda panel: (memory.product, panel.first),
            lambda panel: self._add_product(name, panel),
        )

    def _project_heads(self, name: str, panels: dict[str, list[Panel]]) -> None:
        """q, k and v; RoPE of q and k beside the products of v, a share of the heads after each panel."""
        config, memory = self.config, self.memory
        widths = {"q": 0, "k": config.heads, "v": config.heads + config.kv_heads}
        turned = config.heads + config.kv_heads
        shares = len(panels["v"])

        def turn(panel: Panel) -> None:
            if panel.matrix == "v":
                number = panel.first // self.hw.mlen
                self._rope(name, range(turned * number // shares, turned * (number + 1) // shares))

        self._multiply(
            name,
            [*panels["q"], *panels["k"], *panels["v"]],
            memory.normed,
            lambda panel: (memory.qkv, widths[panel.matrix] * config.head_dim + panel.first),
            turn,
        )

    def _heads(self, tensor: VramTensor, first: int, count: int) -> BatchedVram:
        """Heads first..first+count-1 of the pass's tokens."""
        head_dim, rows = self.config.head_dim, self.shape.rows
        view = self._active(tensor).column_view(first * head_dim, count * head_dim)
        return BatchedVram(view, 1, rows, rows)

    def _rope(self, name: str, heads: range) -> None:
        """RoPE of some heads of q and k, in place."""
        if not heads:
            return
        memory, head_dim = self.memory, self.config.head_dim
        shape = RopeShape(1, self.shape.rows, len(heads), head_dim, head_dim)
        rows = self._heads(memory.qkv, heads.start, len(heads))
        with memory.room.scratch():
            kernel = RopeKernel(self.attention_hw, shape, rows, rows, memory.rope, memory.room)
            self._run(kernel, f"{name} heads {heads.start} to {heads.stop - 1}")

    def _attend(self, name: str, layer: LayerMemory) -> None:
        """New keys and values to the caches, then attention, a head of K and V at a time."""
        config, memory, shape = self.config, self.memory, self.shape
        for first, caches in (
            (config.heads, layer.keys),
            (config.heads + config.kv_heads, layer.values),
        ):
            for head, cache in enumerate(caches):
                rows = self._heads(memory.qkv, first + head, 1)
                with memory.room.scratch():
                    store = CacheStore(self.hw, rows, cache, cache.rows, shape.position, memory.room)
                    self._run(store, name)
        group = config.heads // config.kv_heads
        for head in range(config.kv_heads):
            self.stream.fetch_ahead(AHEAD)
            with memory.room.scratch():
                self._run(self._attention(layer, head, group), f"{name} head {head} of K and V")

    def _attention(self, layer: LayerMemory, head: int, group: int) -> Operator:
        """Attention of the query heads that share a head of K and V."""
        config, memory, rows = self.config, self.memory, self.shape.rows
        end = self.shape.position + rows
        shape = AttentionShape(1, rows, end, group, config.head_dim, causal=True, kv_heads=1)
        cache = layer.keys[head]
        operands = AttentionOperands(
            shape=shape,
            q=self._heads(memory.qkv, head * group, group),
            k=replace(cache, name="K"),
            v=replace(layer.values[head], name="V"),
            o=self._heads(memory.mixed, head * group, group),
            head_cols=config.head_dim,
            kv_head_cols=config.head_dim,
            kv_rows_per_batch=cache.rows,
            constants=memory.attention_constants,
            sinks=None,
        )
        kernel = DecodeAttentionKernel if rows == 1 else AttentionKernel
        return kernel(self.attention_hw, shape, operands, memory.room)

    def _add_product(self, name: str, panel: Panel) -> None:
        """A panel's columns of x += the product."""
        memory, mlen = self.memory, self.hw.mlen
        x, y = (self._active(tensor).column_view(panel.first, mlen) for tensor in (memory.x, memory.product))
        self._run(ResidualAddKernel(self.hw, x, y, x), f"{name} {panel.matrix}")

    def _activate(self, name: str, panel: Panel) -> None:
        """A panel's columns of gate become the input of down."""
        if panel.matrix == "gate":
            return
        memory, mlen = self.memory, self.hw.mlen
        gate, up = (
            self._active(tensor).column_view(panel.first, mlen) for tensor in (memory.gate, memory.up)
        )
        with memory.room.scratch():
            self._run(SwigluKernel(self.hw, gate, up, gate, memory.room), f"{name} SwiGLU")
