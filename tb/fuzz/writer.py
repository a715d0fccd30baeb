"""Writing a random program: drawing, registers whose values are known, and the places they lead to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

import numpy as np

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import Instruction, TrapCause
from plena_ref.machine.hardware import Hardware
from tb.fuzz.memories import Hot

WORD = 0xFFFF_FFFF
_T = TypeVar("_T")

#: Instructions that are drawn more often than the others of their shape.
_WEIGHTS = {"V_ADD_VV": 2, "V_SUB_VF": 2, "M_BMV": 2, "M_BTMV": 2, "S_LD_FP": 2, "H_STORE_V": 2}


@cache
def of_shapes(*names: str) -> tuple[Instruction, ...]:
    """The instructions of these shapes in table order, some more than once: what a draw is made from."""
    entries = [entry for entry in isa.INSTRUCTIONS.values() if entry.shape.name in names]
    return tuple(entry for entry in entries for _ in range(_WEIGHTS.get(entry.mnemonic, 1)))


class Writer:
    """Writes words. `known` maps gp registers to the values they are certain to hold here."""

    def __init__(
        self,
        hw: Hardware,
        rng: np.random.Generator,
        length: int,
        limit: int,
        cause: TrapCause | None,
        wild: bool,
    ) -> None:
        self.hw = hw
        self.rng = rng
        self.limit = limit
        self.cause = cause
        self.wild = wild
        self.instructions = [entry for entry in isa.INSTRUCTIONS.values() if entry.legal]
        self.hot = Hot.of(hw)
        self.words: list[int] = []
        self.length = length
        self.executed = 0
        self.repeats = 1
        self.trap_at = int(rng.integers(0, length)) if cause is not None else None
        self.known: dict[int, int] = {0: 0}
        self.writable = list(range(1, 16))
        self.walkers: list[int] = []
        self.counters: list[int] = []
        self.a_known: dict[int, int] = dict.fromkeys(range(8), 0)
        self.scale: int | None = 0
        self.stride: int | None = 1
        self.control_frozen = False

    # Drawing

    def pick(self, options: Sequence[_T]) -> _T:
        """One of `options`, evenly."""
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        """True with `probability`."""
        return bool(self.rng.random() < probability)

    def below(self, end: int) -> int:
        """An integer in 0..end-1."""
        return int(self.rng.integers(end))

    def f(self) -> int:
        """An f register, mostly one of three."""
        return self.below(4) if self.chance(0.7) else self.below(8)

    # Writing

    def emit(self, mnemonic: str, *values: int) -> None:
        """Append one instruction; `values` are its encoded operands in text order."""
        self.append(isa.INSTRUCTIONS[mnemonic].encode(values))

    def append(self, word: int) -> None:
        """Append one word."""
        self.words.append(word)
        self.executed += self.repeats

    def target(self, *busy: int) -> int:
        """A gp register that may be written and is not in `busy`; its value is no longer known."""
        register = self.pick([register for register in self.writable if register not in busy])
        self.known.pop(register, None)
        return register

    def constant(self, value: int, *busy: int) -> int:
        """A gp register that holds `value`: often one that does already."""
        holders = [register for register, held in self.known.items() if held == value]
        if holders and self.chance(0.85):
            return self.pick(holders)
        register = self.target(*busy)
        base = self.pick(list(self.known))
        step = value - self.known[base]
        if 0 <= step < 1 << 18:
            self.emit("S_ADDI_INT", register, base, step)
        elif value < 1 << 18:
            self.emit("S_ADDI_INT", register, 0, value)
        else:
            self.emit("S_LUI_INT", register, value >> 12)
            if value & 0xFFF:
                self.emit("S_ADDI_INT", register, register, value & 0xFFF)
        self.known[register] = value
        if self.chance(0.06):
            # The same value by way of INT_MEM.
            word = self.pick(self.hot.int_words)
            address, imm = self.split(word, register, *busy)
            self.emit("S_ST_INT", register, address, imm)
            self.emit("S_LD_INT", register, address, imm)
        return register

    def split(self, value: int, *busy: int) -> tuple[int, int]:
        """(gp, imm18) whose sum is `value`, which is below 2^32 + 2^18."""
        near = [register for register, held in self.known.items() if 0 <= value - held < 1 << 18]
        if near and self.chance(0.7):
            register = self.pick(near)
        else:
            imm = self.below(min(value + 1, 1 << 18))
            imm = max(imm, value - WORD)
            register = self.constant(value - imm, *busy)
        return register, value - self.known[register]

    # Places

    def row_number(self) -> int:
        """A row within one of the windows."""
        return self.pick(self.hot.rows) + self.below(self.hot.window)

    def row(self, *busy: int) -> int:
        """A gp register that holds the address of one VRAM row."""
        if self.walkers and self.chance(0.4):
            return self.pick(self.walkers)
        ready = self.holding(self.is_row)
        if ready and self.chance(0.7):
            return self.pick(ready)
        return self.constant(self.row_number() * self.hw.mlen, *busy)

    def window(self, *busy: int) -> int:
        """A gp register that holds the address of a row with a whole window of rows from it on."""
        if self.walkers and self.chance(0.3):
            return self.pick(self.walkers)
        ready = self.holding(lambda value: self.is_row(value + (self.hot.window - 1) * self.hw.mlen))
        if ready and self.chance(0.7):
            return self.pick(ready)
        return self.constant(self.pick(self.hot.rows) * self.hw.mlen, *busy)

    def rows_from(self, count: int, *busy: int) -> int | None:
        """A gp register that holds the address of `count` existing rows; None when there is no such place."""
        if count > self.hw.vram_rows:
            return None
        last = (self.hw.vram_rows - count) * self.hw.mlen
        ready = self.holding(lambda value: self.is_row(value) and value <= last)
        if ready and self.chance(0.5):
            return self.pick(ready)
        places = [row for row in self.hot.rows if row * self.hw.mlen <= last]
        row = self.pick(places) if places and self.chance(0.8) else last // self.hw.mlen
        return self.constant(row * self.hw.mlen, *busy)

    def holding(self, wanted: Callable[[int], bool]) -> list[int]:
        """The registers but gp0 that are known to hold a wanted value."""
        return [register for register, held in self.known.items() if register and wanted(held)]

    def is_row(self, value: int) -> bool:
        """True for the address of a VRAM row."""
        return value % self.hw.mlen == 0 and value < self.hw.vram_elems

    def is_block(self, value: int) -> bool:
        """True for the address of BLEN rows of a tile, which M_TMM and M_MM both take."""
        return value % (self.hw.blen * self.hw.mlen) == 0 and value < self.hw.msram_tiles * self.hw.tile_elems

    def tile(self) -> int:
        """The address of a tile."""
        return self.pick(self.hot.tiles) * self.hw.tile_elems

    def fp_word(self, words: int = 1) -> int:
        """An FP_MEM address with `words` words from it on."""
        return min(self.pick(self.hot.fp_words), self.hw.fp_words - words)
