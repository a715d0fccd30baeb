"""One pass of a decoder: token ids in INT_MEM to logits in VRAM; its keys and values go into the caches."""

from __future__ import annotations

from plena_ref.kernels.embedding import EmbeddingKernel
from plena_ref.kernels.language_model.decoder_layers import DecoderLayers, PassShape
from plena_ref.kernels.language_model.layer_step import LayerStep
from plena_ref.kernels.language_model.model_memory import ModelMemory
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import Program


class ModelPass:
    """The program of one pass.

    Args:
        memory: where everything lies.
        shape: which tokens it is about.

    Attributes:
        layers: its layers; their `steps` are those of the whole pass.

    Raises:
        KernelError: it does not fit the caches, or the weights do not fit MSRAM.
        LayoutError: VRAM has no room for its scratch.
    """

    def __init__(self, memory: ModelMemory, shape: PassShape) -> None:
        self.memory, self.shape, self.hw = memory, shape, memory.hw
        self.layers = DecoderLayers(memory, shape)

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        memory, layers = self.memory, self.layers
        with p.hbm_base("tiles of weights") as base:
            layers.begin(p, base)
            self._embed(p)
            for index in range(len(memory.layers)):
                layers.layer(index)
            layers.norm(None, "final", memory.final_norm)
            panels = [panel for panel in memory.panels if panel.layer is None]
            layers.multiply(panels, memory.normed, lambda panel: (memory.logits, panel.first))
        p.mark("end")

    def _embed(self, p: Program) -> None:
        """x, and zeros in the rows after the last token of what products read."""
        memory, layers = self.memory, self.layers
        layers.stream.prepare()
        with memory.room.scratch():
            x = layers.active(memory.x)
            kernel = EmbeddingKernel(self.hw, memory.embedding, memory.ids, x, memory.room)
            layers.run(LayerStep(None, "embedding"), kernel, "embedding")
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
