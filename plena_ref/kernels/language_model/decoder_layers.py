"""Pre-norm decoder layers (Llama): X += attention(norm(X)), X += MLP(norm(X)), layer after layer.

Weights come in one stream (tile_stream.py), a panel of MLEN outputs at a time, and what follows a product
panel by panel runs beside the products of the next panel: RoPE, SwiGLU, both residual adds. What needs a
whole row (the norms) or the caches (attention) stands between the products; before it, weights are fetched
ahead. The layers are written one after the other. docs/language_model.md says why.

`emit` is the program of the layers alone. What puts more around them, as a whole model does, begins the
stream with `begin` and writes the layers with `layer`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from plena_ref.kernels.attention.cached import attention_operator
from plena_ref.kernels.attention.operands import AttentionOperands
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.cache_store import CacheStore
from plena_ref.kernels.language_model.decoder_memory import DecoderMemory, LayerMemory
from plena_ref.kernels.language_model.layer_step import LayerStep
from plena_ref.kernels.language_model.stream_linear import StreamLinear
from plena_ref.kernels.language_model.tile_stream import TileStream
from plena_ref.kernels.language_model.weight_tiles import Panel
from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.operator import Operator
from plena_ref.kernels.program import Program, Register
from plena_ref.kernels.residual_add import ResidualAddKernel
from plena_ref.kernels.rms_norm import NormOperands, RmsNormKernel
from plena_ref.kernels.rope import RopeKernel, RopeShape
from plena_ref.kernels.rules import KernelError
from plena_ref.kernels.swiglu import SwigluKernel
from plena_ref.machine.hardware import HBM_QUEUE
from plena_ref.machine.regions import Region

#: Key tiles that attention keeps in MSRAM at most, K and V each; a longer cache takes turns.
KEY_TILES = 4


@dataclass(frozen=True)
class PassShape:
    """Which positions a pass is about.

    Attributes:
        rows: new positions of each sequence.
        position: of the first; the caches hold those before it.
    """

    rows: int
    position: int

    def check(self, memory: DecoderMemory) -> None:
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


class DecoderLayers:
    """The layers of one pass.

    Args:
        memory: where everything lies.
        shape: which positions it is about.

    Attributes:
        stream: the weights on their way through MSRAM.
        attention_hw: the machine as attention and RoPE see it, with a part of its MSRAM.
        steps: what has been written, in program order; `Program.mark` has marked each.

    Raises:
        KernelError: it does not fit the caches, or the weights do not fit MSRAM.
    """

    def __init__(self, memory: DecoderMemory, shape: PassShape) -> None:
        shape.check(memory)
        self.memory, self.shape, self.hw = memory, shape, memory.hw
        self.config, self.columns = memory.config, memory.columns
        self.rows = memory.batch * shape.rows
        tiles = self._attention_tiles()
        self.attention_hw = replace(self.hw, msram_tiles=min(tiles, self.hw.msram_tiles))
        self.stream = TileStream(self.hw, memory.weights, memory.panels, tiles)
        self.steps: list[LayerStep] = []
        self._stored: list[Region] = []
        self._written: list[Region] = []

    def _attention_tiles(self) -> int:
        """MSRAM tiles of attention: fewer key tiles than KEY_TILES where the weights need the room."""
        each = 2 * self.columns.head // self.hw.mlen
        left = self.hw.msram_tiles - max(panel.tiles for panel in self.memory.panels) - 1
        return each * min(KEY_TILES, max(1, left // each))

    @property
    def title(self) -> str:
        """What they do."""
        memory, shape = self.memory, self.shape
        return (
            f"{len(memory.layers)} decoder layers: batch {memory.batch}, {shape.rows} positions "
            f"from {shape.position} on"
        )

    def outputs(self) -> list[Region]:
        """X, and the new positions in the caches of all layers; complete once `emit` has run."""
        return [*self.batched(self.memory.x).active_regions(), *self._stored]

    def scratch(self) -> list[Region]:
        """What the stages hand on, and their scratch; complete once `emit` has run."""
        memory = self.memory
        tensors = (memory.normed, memory.product, memory.qkv, memory.mixed, memory.gate, memory.up)
        handed_on = [region for tensor in tensors for region in tensor.row_regions(0, tensor.physical_rows)]
        return [*handed_on, self.stream.region(), *self._written]

    def emit(self, p: Program) -> None:
        """Write the layers, and nothing else."""
        with p.hbm_base("tiles of weights") as base:
            self.begin(p, base)
            self.stream.prepare()
            for index in range(len(self.memory.layers)):
                self.layer(index)
        p.mark("end")

    def begin(self, p: Program, base: Register) -> None:
        """Start a program, which has `base` for the HBM addresses of the weights."""
        self.p = p
        self.stream.begin(p, base)
        self.steps, self._stored, self._written = [], [], []

    # Parts of a program

    def active(self, tensor: VramTensor) -> VramTensor:
        """The rows of the pass's positions."""
        return tensor.row_view(0, self.rows)

    def batched(self, tensor: VramTensor) -> BatchedVram:
        """The same, batch after batch."""
        rows = self.shape.rows
        return BatchedVram(self.active(tensor), self.memory.batch, rows, rows)

    def run(self, step: LayerStep, operator: Operator, name: str) -> None:
        """Write an operator, with its name in the listing."""
        self.begin_step(step, f"{name}: {operator.title}")
        operator.emit(self.p)
        if isinstance(operator, CacheStore):
            self._stored += operator.outputs()
        elif not isinstance(operator, ResidualAddKernel):
            self._written += operator.outputs()
        self._written += operator.scratch()

    def begin_step(self, step: LayerStep, text: str) -> None:
        """The next instruction is the first of a step."""
        self.steps.append(step)
        self.p.mark(text)

    def norm(self, layer: int | None, which: str, weight: VramTensor) -> None:
        """normed = RMSNorm of x."""
        memory, name = self.memory, f"{which} norm"
        self.stream.fetch_ahead(HBM_QUEUE)
        with memory.room.scratch():
            x, y = self.active(memory.x), self.active(memory.normed)
            norm = RmsNormKernel(self.hw, NormOperands(x, weight, y, memory.norm_constants), memory.room)
            self.run(LayerStep(layer, name), norm, name if layer is None else f"layer {layer} {name}")

    def multiply(
        self,
        panels: Sequence[Panel],
        x: VramTensor,
        target: Callable[[Panel], tuple[VramTensor, int]],
        follow: Callable[[Panel], None] | None = None,
    ) -> None:
        """The products of `panels` with X, and after each panel but the first what follows the one before.

        Args:
            panels: the next ones of the stream.
            x: rows of inputs.
            target: where a panel's outputs go: a tensor and its first column.
            follow: writes what is done with a panel's outputs.
        """
        linear = StreamLinear(self.p, self.stream, self.rows)
        before = None
        for panel in panels:
            name = "output head" if panel.layer is None else f"layer {panel.layer}"
            step = LayerStep(panel.layer, panel.matrix, panel.first, self.hw.mlen)
            self.begin_step(step, f"{name}: {panel.matrix}, outputs {panel.first} and up")
            linear.panel(x, *target(panel))
            if before is not None and follow is not None:
                follow(before)
            before = panel
        if follow is not None:
            follow(panels[-1])

    def layer(self, index: int) -> None:
        """Write one layer."""
        memory, layer = self.memory, self.memory.layers[index]
        panels: dict[str, list[Panel]] = {}
        for panel in memory.panels:
            if panel.layer == index:
                panels.setdefault(panel.matrix, []).append(panel)
        self.norm(index, "attention", layer.attention_norm)
        self._project_heads(index, panels)
        self._attend(index, layer)
        self._add_products(panels["o"], memory.mixed, "attention residual")
        self.norm(index, "mlp", layer.mlp_norm)
        gated = [panel for pair in zip(panels["gate"], panels["up"], strict=True) for panel in pair]
        self.multiply(
            gated,
            memory.normed,
            lambda panel: (memory.gate if panel.matrix == "gate" else memory.up, panel.first),
            self._activate,
        )
        self._add_products(panels["down"], memory.gate, "mlp residual")

    def _project_heads(self, index: int, panels: dict[str, list[Panel]]) -> None:
        """q, k and v; RoPE of q and k beside the products of v, a share of the heads after each panel."""
        wide, memory = self.columns, self.memory
        starts = {"q": 0, "k": wide.q, "v": wide.q + wide.kv}
        turned = self.config.heads + self.config.kv_heads
        shares = len(panels["v"])

        def turn(panel: Panel) -> None:
            if panel.matrix == "v":
                number = panel.first // self.hw.mlen
                self._rope(index, range(turned * number // shares, turned * (number + 1) // shares))

        self.multiply(
            [*panels["q"], *panels["k"], *panels["v"]],
            memory.normed,
            lambda panel: (memory.qkv, starts[panel.matrix] + panel.first),
            turn,
        )

    def heads(self, tensor: VramTensor, first: int, count: int) -> BatchedVram:
        """Heads first..first+count-1 of the pass's positions."""
        head = self.columns.head
        return self.batched(tensor.column_view(first * head, count * head))

    def _rope(self, index: int, heads: range) -> None:
        """RoPE of some heads of q and k, in place."""
        if not heads:
            return
        memory, config = self.memory, self.config
        shape = RopeShape(memory.batch, self.shape.rows, len(heads), config.head_dim, self.columns.head)
        rows = self.heads(memory.qkv, heads.start, len(heads))
        step = LayerStep(index, "rope", heads.start, len(heads))
        with memory.room.scratch():
            kernel = RopeKernel(self.attention_hw, shape, rows, rows, memory.rope, memory.room)
            self.run(step, kernel, f"layer {index} heads {heads.start} to {heads.stop - 1}")

    def _attend(self, index: int, layer: LayerMemory) -> None:
        """New keys and values to the caches, then attention, a head of K and V at a time."""
        config, memory, shape = self.config, self.memory, self.shape
        for first, name, caches in (
            (config.heads, "k cache", layer.keys),
            (config.heads + config.kv_heads, "v cache", layer.values),
        ):
            for head, cache in enumerate(caches):
                rows = self.heads(memory.qkv, first + head, 1)
                with memory.room.scratch():
                    place = (cache, memory.rows_per_batch, shape.position)
                    store = CacheStore(self.hw, rows, *place, memory.room)
                    self.run(LayerStep(index, name, head, 1), store, f"layer {index}")
        for head in range(config.kv_heads):
            self.stream.fetch_ahead(HBM_QUEUE)
            with memory.room.scratch():
                attention = self._attention(layer, head)
                step = LayerStep(index, "attention", head, 1)
                self.run(step, attention, f"layer {index} head {head} of K and V")

    @property
    def attention_shape(self) -> AttentionShape:
        """Attention of the query heads that share a head of K and V."""
        config, rows = self.config, self.shape.rows
        end, group = self.shape.position + rows, config.heads // config.kv_heads
        return AttentionShape(self.memory.batch, rows, end, group, config.head_dim, True, True, 1)

    def _attention(self, layer: LayerMemory, head: int) -> Operator:
        memory, shape, columns = self.memory, self.attention_shape, self.columns.head
        operands = AttentionOperands(
            shape=shape,
            q=self.heads(memory.qkv, head * shape.heads, shape.heads),
            k=replace(layer.keys[head], name="K"),
            v=replace(layer.values[head], name="V"),
            o=self.heads(memory.mixed, head * shape.heads, shape.heads),
            head_cols=columns,
            kv_head_cols=columns,
            kv_rows_per_batch=memory.rows_per_batch,
            constants=memory.attention_constants,
            sinks=None,
        )
        return attention_operator(self.attention_hw, shape, operands, memory.room)

    def _add_products(self, panels: Sequence[Panel], x: VramTensor, name: str) -> None:
        """A product's panels, each added to the residual stream beside the next one."""
        memory = self.memory

        def add(panel: Panel) -> None:
            wide = min(self.hw.mlen, self.config.hidden - panel.first)
            stream, product = (
                self.active(tensor).column_view(panel.first, wide) for tensor in (memory.x, memory.product)
            )
            step = LayerStep(panel.layer, name, panel.first, wide)
            kernel = ResidualAddKernel(self.hw, stream, product, stream)
            self.run(step, kernel, f"layer {panel.layer} {panel.matrix}")

        self.multiply(panels, x, lambda panel: (memory.product, panel.first), add)

    def _activate(self, panel: Panel) -> None:
        """A panel's columns of gate become the input of down."""
        if panel.matrix == "gate":
            return
        memory = self.memory
        wide = min(self.hw.mlen, self.config.intermediate - panel.first)
        gate, up = (self.active(tensor).column_view(panel.first, wide) for tensor in (memory.gate, memory.up))
        step = LayerStep(panel.layer, "activation", panel.first, wide)
        with memory.room.scratch():
            kernel = SwigluKernel(self.hw, gate, up, gate, memory.room)
            self.run(step, kernel, f"layer {panel.layer} SwiGLU")
