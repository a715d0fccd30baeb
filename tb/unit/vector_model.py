"""The vector unit in order on `plena_ref.machine.numerics`, and random payloads of its slots."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine import numerics
from tb.unit import bf16_data
from tb.unit.course import Course

ADD, SUB, MUL, RSUB, MAX, MIN, EXP, RECI, SHFT, MAP, RED_SUM, RED_MAX = range(12)
SLOTS = 8
ROWS = 32
FP_WORDS = 256
POISON = 0xFFA5


@dataclass
class Instruction(Course):
    """One payload, its place in the program and what the bench learned about it."""

    op: int
    mask: int
    a: int = 0
    b: int = 0
    d: int = 0
    vf: bool = False
    f: int = 0
    shift: int = 0
    fp: int = 0
    wait_done: list[Instruction] = field(default_factory=list)
    requested: int = -1  # first cycle of its write request

    @property
    def reduces(self) -> bool:
        return self.op >= RED_SUM

    @property
    def two_rows(self) -> bool:
        return self.op <= MIN and not self.vf

    @property
    def reads_f(self) -> bool:
        return self.reduces or (self.op <= MIN and self.vf)


class State:
    """VRAM rows, FP_MEM words and f registers as numpy arrays of raw bf16."""

    def __init__(self, rng: random.Random, mlen: int) -> None:
        self.mlen = mlen
        self.rows = [bf16_data.random_row(rng, mlen) for _ in range(ROWS)]
        self.fp = np.array([bf16_data.random_word(rng) for _ in range(FP_WORDS)], dtype=np.uint16)
        self.f = [0] + [bf16_data.random_word(rng) for _ in range(7)]

    def execute(self, i: Instruction) -> int:
        """Execute one instruction; return the row (packed) or f value that it writes."""
        n = numerics
        mask = np.array([i.mask >> e & 1 for e in range(self.mlen)], dtype=bool)
        a = self.rows[i.a]
        f = np.array([self.f[i.f]], dtype=np.uint16)
        b = np.repeat(f, self.mlen) if i.vf else self.rows[i.b]
        with np.errstate(all="ignore"):
            if i.op == RED_SUM:
                nodes = n.bf16_to_f32(np.where(mask, a, np.uint16(0)))
                while nodes.size > 1:
                    nodes = n.f32_add(nodes[0::2], nodes[1::2])
                value = int(n.f32_to_bf16(n.f32_add(n.bf16_to_f32(f), nodes))[0])
            elif i.op == RED_MAX:
                inner = n.bf16_max_reduce(np.where(mask, a, np.uint16(n.BF16_NEG_INF)))
                value = int(n.bf16_max(f, np.array([inner], dtype=np.uint16))[0])
            elif i.op == MAP:
                row = self.fp[i.fp : i.fp + self.mlen].copy()
            elif i.op == SHFT:
                row = np.concatenate([np.zeros(i.shift, dtype=np.uint16), a])[: self.mlen]
            else:
                functions: list[Callable[[], NDArray[np.uint16]]] = [
                    lambda: n.bf16_add(a, b),
                    lambda: n.bf16_sub(a, b),
                    lambda: n.bf16_mul(a, b),
                    lambda: n.bf16_sub(b, a),
                    lambda: n.bf16_max(a, b),
                    lambda: n.bf16_min(a, b),
                    lambda: n.bf16_exp(a),
                    lambda: n.bf16_reciprocal(a),
                ]
                row = np.where(mask, functions[i.op](), a)
        if i.reduces:
            if i.f:
                self.f[i.f] = value
            return value
        self.rows[i.d] = row.astype(np.uint16)
        return bf16_data.pack(self.rows[i.d])


def random_instruction(rng: random.Random, mlen: int, rows: int = ROWS) -> Instruction:
    """Draw an instruction over the first `rows` rows; masks of 1, 2 or 4 lanes, or one lane an element."""
    op = rng.randrange(12)
    lanes = rng.choice((1, 2, 4, mlen))
    width = mlen // lanes
    chosen = (1 << lanes) - 1 if rng.random() < 0.5 else rng.randrange(1 << lanes)
    mask = sum(((1 << width) - 1) << (lane * width) for lane in range(lanes) if chosen >> lane & 1)
    return Instruction(
        op,
        vf=op <= MIN and rng.random() < 0.4,
        a=rng.randrange(rows),
        b=rng.randrange(rows),
        d=rng.randrange(rows),
        f=rng.randrange(8),
        mask=mask,
        shift=rng.choice((0, 1, mlen - 1, mlen, rng.randrange(mlen + 1))),
        fp=rng.randrange(FP_WORDS - mlen + 1),
    )
