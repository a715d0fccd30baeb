"""Where the head at hand lies in Q, O, K and V, and its sink: words of INT_MEM that go from head to head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from plena_ref.kernels.attention.operands import AttentionOperands
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.program import GP0, Program, Register
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: The words: the head's addresses of Q (less that of the scratch tensor Qs) and O, its HBM offset in K and V,
#: and the FP_MEM word of its sink.
Q_HEAD, O_HEAD, KV_HEAD, SINK_HEAD = range(4)
#: How many they are; the packed form has more after them.
INT_POINTERS = 4


class HeadPointers:
    """The pointers of one kernel.

    Args:
        hw: the machine.
        operands: what they point to.
        blocks: column blocks of a head.
        words: how many words there are.
        room: where to take them from.

    Raises:
        KernelError: INT_MEM is too small.
    """

    def __init__(
        self, hw: Hardware, operands: AttentionOperands, blocks: int, words: int, room: Room
    ) -> None:
        if hw.int_words < words:
            raise KernelError(f"the head pointers need INT_WORDS >= {words} (got {hw.int_words})")
        self.mlen, self.operands, self.blocks, self.words = hw.mlen, operands, blocks, words
        self.first = room.int_mem.take("the head pointers", words)

    def region(self) -> Region:
        """The words."""
        return Region("intmem", self.first, self.first + self.words, "head pointers")

    def set_up(self, p: Program, scaled_queries: int) -> None:
        """They point to the first head; `scaled_queries` is the address of Qs."""
        q, o = (tensor.batch_view(0).base for tensor in (self.operands.q, self.operands.o))
        with p.gp("head pointer") as pointer:
            for word, value in enumerate((q - scaled_queries, o, 0, self.operands.sinks or 0)):
                p.load_constant(pointer, value % (1 << 32))
                self.store(p, pointer, word)

    @contextmanager
    def load(self, p: Program, word: int, purpose: str) -> Iterator[Register]:
        """One of the head pointers of INT_MEM in a register."""
        with p.gp(purpose) as register:
            p.S_LD_INT(register, GP0, self.first + word, comment=purpose)
            yield register

    def store(self, p: Program, register: Register, word: int) -> None:
        """A register becomes one of the words."""
        p.S_ST_INT(register, GP0, self.first + word)

    def advance(self, p: Program, heads: int = 0, kv_heads: int = 0, batches: int = 0) -> None:
        """Move the head pointers by query heads, heads of K and V, and batches; the heads may be negative."""
        operands = self.operands
        batch_bytes = operands.kv_rows_per_batch * operands.k.row_bytes
        steps = {
            word: heads * self.blocks * tensor.batch_view(0).block_stride + batches * tensor.batch_stride
            for word, tensor in ((Q_HEAD, operands.q), (O_HEAD, operands.o))
        }
        steps[KV_HEAD] = kv_heads * operands.k.span(self.blocks * self.mlen) + batches * batch_bytes
        steps[SINK_HEAD] = heads if self.operands.sinks is not None else 0
        for word, step in steps.items():
            if step:
                with self.load(p, word, "head pointer") as register:
                    p.add(register, register, step)
                    self.store(p, register, word)
