"""What a bench of a unit learns about an instruction: its slot, and the cycles of what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True)
class Course:
    """The way of one instruction through a unit; -1 is not yet.

    Attributes:
        slot: the slot that it was pushed into.
        hold_until: cycle before which the scoreboard keeps it back.
        pushed, read, done: cycles in which it was pushed, read its operands, was done.
        expected: what it writes: a row (packed), a register, a word.
    """

    slot: int = -1
    hold_until: int = 0
    pushed: int = -1
    read: int = -1
    done: int = -1
    expected: int = 0
