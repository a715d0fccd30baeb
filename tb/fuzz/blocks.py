"""Random programs as blocks of instructions and loops, nested and left early."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from tb.fuzz.traps import Traps


class Program(Traps):
    """A whole program."""

    def program(self) -> list[int]:
        """The whole program."""
        self.block(self.length)
        if self.trap_at is not None:
            self.trap_at = None
            self.trap()
        if self.wild:
            self.wild_words()
        ending = self.below(3)
        if ending == 0:
            self.emit("C_BREAK")
        elif ending == 1:
            self.emit("C_LOOP_START", self.target(), 2)
            self.integer_memory()
            self.emit("C_BREAK")
        return self.words

    def block(self, budget: int) -> None:
        """Instructions and loops that execute about `budget` instructions."""
        end = self.executed + budget
        kinds, weights = zip(*_MIX, strict=True)
        shares = np.cumsum(weights) / sum(weights)
        while self.executed < end:
            if self.trap_at is not None and self.executed >= self.trap_at:
                self.trap_at = None
                self.trap()
            left = (end - self.executed) // self.repeats
            if left > 12 and self.may_loop() and self.chance(0.06):
                self.loop(left)
            else:
                kinds[int(np.searchsorted(shares, self.rng.random()))](self)

    def may_loop(self) -> bool:
        """True when one more loop may be open, and its body would keep enough registers to write."""
        return len(self.counters) < self.hw.loop_depth and len(self.writable) >= 9

    def loop(self, left: int) -> None:
        """A loop whose body has room for `left` instructions in all its passes together."""
        if self.chance(0.1):
            self.deep_nest()
            return
        trips = 1 + self.below(min(5, left // 6))
        counter = self.pick(self.counters) if self.counters and self.chance(0.15) else self.target()
        walker = self.walker(counter, trips) if self.chance(0.6) else None
        self.emit("C_LOOP_START", counter, trips)
        with self.body(counter, trips, walker):
            leave = self.below(12)
            if leave == 0:
                self.emit("S_ADDI_INT", counter, 0, self.below(2))
            elif leave == 1:
                self.emit("S_SUB_INT", counter, counter, self.constant(1))
            self.block(max(1, left // trips - 2) * self.repeats)
            if walker is not None:
                self.emit("S_ADDI_INT", walker[0], walker[0], walker[1] * self.hw.mlen)
            self.emit("C_LOOP_END", counter)
        self.known[counter] = 0

    def walker(self, counter: int, trips: int) -> tuple[int, int] | None:
        """(register, rows a pass) of a row address that the body will advance; it starts at a window."""
        step = self.pick((1, 1, 2, self.hw.blen))
        last = self.hw.vram_rows - self.hot.window - trips * step
        starts = [row for row in self.hot.rows if row <= last]
        if not starts:
            return None
        register = self.target(counter)
        value = self.pick(starts) * self.hw.mlen
        if value < 1 << 18:
            self.emit("S_ADDI_INT", register, 0, value)
        else:
            self.emit("S_LUI_INT", register, value >> 12)
            self.emit("S_ADDI_INT", register, register, value & 0xFFF)
        return register, step

    @contextmanager
    def body(self, counter: int, trips: int, walker: tuple[int, int] | None) -> Iterator[None]:
        """Inside: only some registers may be written, and what they held at the start is not known."""
        writable, walkers, repeats, frozen = self.writable, self.walkers, self.repeats, self.control_frozen
        taken = {counter} | ({walker[0]} if walker else set())
        free = [register for register in writable if register not in taken]
        self.rng.shuffle(free)
        self.writable = free[self.below(3) :]
        self.walkers = [*walkers, walker[0]] if walker else walkers
        self.counters.append(counter)
        self.repeats *= trips
        for register in (*self.writable, *taken):
            self.known.pop(register, None)
        self.control_frozen = frozen or self.chance(0.5)
        if not self.control_frozen:
            self.a_known, self.scale, self.stride = {}, None, None
        yield
        self.counters.pop()
        self.writable, self.walkers, self.repeats, self.control_frozen = writable, walkers, repeats, frozen

    def deep_nest(self) -> None:
        """As many loops as may be open, one inside the other around one instruction, on two counters."""
        depth = self.hw.loop_depth - len(self.counters)
        counters = [self.target() for _ in range(2)]
        chosen = [self.pick(counters) for _ in range(depth)]
        for counter in chosen:
            self.emit("C_LOOP_START", counter, 1 + self.below(2) if depth <= 3 else 1 + self.below(8) // 7)
        self.emit(*self.pick((("S_ADD_FP", 1, 1, 2), ("V_RED_SUM", 1, 0, 0), ("S_MUL_FP", 2, 1, 2))))
        for counter in reversed(chosen):
            self.emit("C_LOOP_END", counter)
            self.known[counter] = 0


#: What a block is made of, with weights.
_MIX: tuple[tuple[Callable[[Program], None], int], ...] = (
    (Program.m_mm, 10),
    (Program.m_mm_wo, 7),
    (Program.m_mv, 5),
    (Program.m_mv_wo, 3),
    (Program.m_head, 5),
    (Program.m_head_wo, 3),
    (Program.vector, 20),
    (Program.reduction, 10),
    (Program.map_row, 5),
    (Program.float_arithmetic, 14),
    (Program.float_memory, 14),
    (Program.integer, 4),
    (Program.integer_memory, 4),
    (Program.v_mask, 3),
    (Program.transfer, 6),
    (Program.topk, 4),
)
