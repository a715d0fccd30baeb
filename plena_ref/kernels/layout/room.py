"""The memories of one program, and who has which part of them for how long.

What lives as long as the program (operands, constants that the host stages) is taken first. Then every
operator takes its scratch inside `with room.scratch():`, after which the next one gets the same words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from plena_ref.kernels.layout.allocators import HbmAllocator, VramAllocator, WordAllocator
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.tensors import NamedTensor


class Room:
    """The allocators of VRAM, HBM, FP_MEM and INT_MEM.

    Args:
        hw: the machine.
        hbm_start: the first HBM byte that may be taken.
    """

    def __init__(self, hw: Hardware, hbm_start: int = 0) -> None:
        self.vram = VramAllocator(hw)
        self.hbm = HbmAllocator(hw, hbm_start)
        self.fp_mem = WordAllocator("FP_MEM", "FP_WORDS", hw.fp_words)
        self.int_mem = WordAllocator("INT_MEM", "INT_WORDS", hw.int_words)

    @property
    def placed(self) -> tuple[NamedTensor, ...]:
        """Every tensor and run of words that was handed out, by memory in order."""
        memories = (self.vram, self.hbm, self.fp_mem, self.int_mem)
        return tuple(tensor for memory in memories for tensor in memory.placed)

    @contextmanager
    def scratch(self) -> Iterator[None]:
        """What is taken from VRAM, FP_MEM and INT_MEM in the block is free again after it."""
        memories = (self.vram, self.fp_mem, self.int_mem)
        for memory in memories:
            memory.open_scratch()
        yield
        for memory in memories:
            memory.close_scratch()
