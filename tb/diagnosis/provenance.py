"""Which read of a word that nobody wrote each value on the machine goes back to.

Beside every word of every memory and register lies a label: the number of the earliest such read that its
value depends on, or `CLEAN`. An instruction hands labels on element by element: a row operation from its
sources' elements, a product from a row and a column, a masked lane from its first source alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import BY_OPCODE, Field
from plena_ref.machine.reference.core import Core
from plena_ref.machine.state import GP_REGISTERS, WrittenMaps, memory_sizes

Labels = NDArray[np.int32]

#: The label of a value that depends on no such read.
CLEAN = 2**31 - 1


@dataclass(frozen=True)
class UnwrittenRead:
    """A read of a word that nobody wrote.

    Attributes:
        pc: of the instruction.
        memory: vram, msram, fpmem, intmem or hbm.
        address: the first such word of the read.
    """

    pc: int
    memory: str
    address: int


class Provenance:
    """The labels of one machine.

    Args:
        core: the machine; it is looked at, and never changed.
        known: the words that the host wrote; what instructions write is added to them.
    """

    def __init__(self, core: Core, known: WrittenMaps) -> None:
        # No transfer passes the limit, and HBM may be large.
        sizes = memory_sizes(core.hw) | {"hbm": core.limit}
        self.core, self.known = core, known
        self.reads: list[UnwrittenRead] = []
        self.labels = {name: np.full(size, CLEAN, np.int32) for name, size in sizes.items()}
        hw = core.hw
        self.gp = np.full(GP_REGISTERS, CLEAN, np.int32)
        self.f, self.a = np.full(8, CLEAN, np.int32), np.full(8, CLEAN, np.int32)
        self.special = {name: CLEAN for name in ("scale", "stride", "v_mask")}
        self.sums = {
            "m": np.full((hw.blen, hw.blen), CLEAN, np.int32),
            "v": np.full((1, hw.blen), CLEAN, np.int32),
            "hm": np.full((hw.lanes, hw.mlen, hw.mlen), CLEAN, np.int32),
            "hv": np.full((hw.lanes, 1, hw.mlen), CLEAN, np.int32),
        }
        #: The earliest read that an address depends on, which may reach anything.
        self.addresses = CLEAN

    def read(self, pc: int, memory: str, where: NDArray[np.int64]) -> Labels:
        """The labels of words that an instruction reads; those that nobody wrote get one."""
        known, labels = getattr(self.known, memory), self.labels[memory]
        new = ~known[where] & (labels[where] == CLEAN)
        if new.any():
            self.reads.append(UnwrittenRead(pc, memory, int(where[new].min())))
            labels[where[new]] = len(self.reads) - 1
        return labels[where]

    def write(self, memory: str, where: NDArray[np.int64], labels: Labels | int) -> None:
        """Words that an instruction wrote, and the labels of their values."""
        getattr(self.known, memory)[where] = True
        self.labels[memory][where] = labels

    def address(self, word: int, *fields: Field) -> int:
        """The sum of registers and immediates; what it depends on may reach anything."""
        total = 0
        for field in fields:
            value = field.get(word)
            if field in (isa.IMM18, isa.IMM22):
                total += value
            else:
                total += self.core.gp[value]
                self.addresses = min(self.addresses, int(self.gp[value]))
        return total

    def rows(self, address: int, count: int = 1, step: int = 1) -> NDArray[np.int64]:
        """Element addresses of VRAM rows: int64 [count, MLEN]."""
        mlen = self.core.hw.mlen
        first = address // mlen + step * np.arange(count)
        return first[:, None] * mlen + np.arange(mlen)

    def tile(self, address: int) -> NDArray[np.int64]:
        """Element addresses of the tile that holds an address: int64 [MLEN, MLEN]."""
        mlen = self.core.hw.mlen
        base = address // self.core.hw.tile_elems * self.core.hw.tile_elems
        return base + np.arange(mlen * mlen).reshape(mlen, mlen)

    def set_gp(self, field: int, label: int) -> None:
        """Label of a gp register; gp0 is always clean."""
        if field:
            self.gp[field] = label

    def set_f(self, field: int, label: int) -> None:
        """Label of an f register; f0 is always clean."""
        if field:
            self.f[field] = label


def least(*labels: Labels | int) -> int:
    """The earliest read among some labels."""
    return min(CLEAN, *(int(np.min(part)) for part in labels))


#: Notes what an instruction reads, and returns what notes its writes once it has taken effect.
Rule = Callable[[Provenance, int, int], Callable[[], None]]


def rule_of(word: int, rules: dict[str, Rule]) -> Rule | None:
    """How an instruction hands labels on; None for a word that traps whatever the registers hold."""
    if isa.decode_trap(word) is not None:
        return None
    return rules[BY_OPCODE[isa.opcode(word)].shape.name]
