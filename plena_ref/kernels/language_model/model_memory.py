"""Where everything lies that a model needs from pass to pass: layers, embedding, output head, token ids."""

from __future__ import annotations

from plena_ref.configs.models import DecoderConfig
from plena_ref.kernels.embedding import EmbeddingTable
from plena_ref.kernels.language_model.decoder_memory import DecoderMemory
from plena_ref.kernels.language_model.weight_tiles import check_model, model_panels
from plena_ref.kernels.layout.room import Room
from plena_ref.machine.hardware import Hardware


class ModelMemory(DecoderMemory):
    """The places of one model on one machine, for one sequence.

    Args:
        hw: the machine.
        config: the model's sizes.
        positions: how many the caches hold.
        chunk: tokens of a pass at most.

    Attributes:
        room: what is left; a pass takes its scratch from it.
        embedding: in HBM, the last tensor below LIMIT.
        final_norm: weights, 1 x hidden in VRAM.
        logits: chunk x vocabulary.
        ids: first of the INT_MEM words with the token ids.

    Raises:
        KernelError: a size of the model does not go with the machine.
        LayoutError: a memory is full; names the tensor and the parameter to raise.
    """

    def __init__(self, hw: Hardware, config: DecoderConfig, positions: int, chunk: int) -> None:
        check_model(hw, config)
        room = Room(hw, hw.mlen * hw.mlen)
        super().__init__(hw, config, model_panels(hw, config), config.layers, 1, chunk, positions, room)
        self.final_norm = room.vram.tensor("final norm", 1, config.hidden)
        self.logits = self._rows("logits", config.vocabulary)
        self.ids = room.int_mem.take("token ids", chunk)
        self.embedding = EmbeddingTable.place(hw, config.vocabulary, config.hidden, room)

    @property
    def limit(self) -> int:
        """HBM bytes that belong to data: what LIMIT holds."""
        return self.room.hbm.next_free
