"""The scalar float unit: arithmetic on f registers, and what moves between them and FP_MEM."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine import numerics
from plena_ref.machine.numerics import BF16_TO_F32
from plena_ref.machine.reference.core import Core
from plena_ref.machine.reference.scalar_memory import load_word, store_word
from plena_ref.machine.reference.step import F_SINK, Coded, Step

_FILE = "float_unit.py"

#: Operations of two f registers as one f32 operation, rounded once.
TWO_SOURCES: dict[str, Callable[[np.float32, np.float32], np.float32]] = {
    "ADD": np.float32.__add__,
    "SUB": np.float32.__sub__,
    "MUL": np.float32.__mul__,
}

#: Operations of two f registers that need no rounding, on raw bf16 bits.
TWO_SOURCES_RAW: dict[str, Callable[[int, int], NDArray[np.uint16]]] = {
    "MAX": numerics.bf16_max,
}

#: Operations of one f register, on raw bf16 bits.
ONE_SOURCE: dict[str, Callable[[NDArray[np.uint16]], NDArray[np.uint16]]] = {
    "EXP": numerics.bf16_exp,
    "RECI": numerics.bf16_reciprocal,
    "SQRT": numerics.bf16_sqrt,
}

#: The same as tables of all results: uint16[65536] each.
_RESULTS = {name: operation(np.arange(1 << 16, dtype=np.uint16)) for name, operation in ONE_SOURCE.items()}


def two_registers(core: Core, code: Coded) -> Step:
    """The step of shape F3."""
    f, a, b = core.f, code.get(isa.RS1), code.get(isa.RS2)
    destination = code.get(isa.RD) or F_SINK
    if code.operation in TWO_SOURCES_RAW:
        raw = TWO_SOURCES_RAW[code.operation]

        def raw_step() -> None:
            f[destination] = int(raw(f[a], f[b]))

        return raw_step
    operation = code.meaning(TWO_SOURCES, code.operation, _FILE)
    rounded = numerics.scalar_to_bf16

    def step() -> None:
        f[destination] = rounded(operation(BF16_TO_F32[f[a]], BF16_TO_F32[f[b]]))

    return step


def one_register(core: Core, code: Coded) -> Step:
    """The step of shape F2."""
    f, a, destination = core.f, code.get(isa.RS1), code.get(isa.RD) or F_SINK
    results = code.meaning(_RESULTS, code.operation, _FILE)

    def step() -> None:
        f[destination] = results.item(f[a])

    return step


def load(core: Core, code: Coded) -> Step:
    """The step of shape F_LOAD."""
    return load_word(core, code, core.f, F_SINK, core.images.fpmem, TrapCause.FP_MEM_RANGE)


def store(core: Core, code: Coded) -> Step:
    """The step of shape F_STORE."""
    return store_word(core, code, core.f, core.images.fpmem, core.written.fpmem, TrapCause.FP_MEM_RANGE)
