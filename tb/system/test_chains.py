"""Cycles of dependent and independent instructions: a loop runs n and 2n times, and the difference counts.

What docs/microarchitecture.md promises as latencies holds in the whole machine, scoreboard and dispatch
included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.machine.hardware import Hardware
from tb.system.equivalence import DIRECTED, bounded, check, random_images
from tb.system.test_fuzz import machine

#: Passes of the shorter loop.
PASSES = 40


@dataclass(frozen=True)
class Chain:
    """A loop body and its cycles a pass.

    Attributes:
        body: assembly; gp1 to gp4 are rows in four banks, gp6 an FP_MEM word.
        cycles: of one pass, from log2(MLEN).
    """

    body: str
    cycles: Callable[[int], int]


def repeated(line: str, cycles: int) -> Chain:
    """Eight times `line`, each `cycles` behind the one before."""
    return Chain(f"{line}\n" * 8, lambda _: 8 * cycles)


CHAINS = {
    "float add": repeated("S_ADD_FP f1, f1, f2", 1),
    "float subtract": repeated("S_SUB_FP f1, f1, f2", 1),
    "float multiply": repeated("S_MUL_FP f1, f1, f2", 1),
    "float maximum": repeated("S_MAX_FP f1, f1, f2", 1),
    "exponential": repeated("S_EXP_FP f1, f1", 2),
    "reciprocal": repeated("S_RECI_FP f1, f1", 2),
    "square root": repeated("S_SQRT_FP f1, f1", 2),
    "store and load": Chain("S_ST_FP f1, gp6, 0\nS_LD_FP f1, gp6, 0\n" * 4, lambda _: 8),
    "independent rows": Chain(
        "V_ADD_VV gp1, gp3, gp4\nV_EXP_V gp2, gp3\nV_MUL_VF gp1, gp4, f1\nV_SUB_VV gp2, gp4, gp3\n" * 2,
        lambda _: 8,
    ),
    "row to row": repeated("V_ADD_VV gp1, gp1, gp2", 3),
    "row to row through the second source": repeated("V_SUB_VV gp1, gp2, gp1", 3),
    "row exponential": repeated("V_EXP_V gp1, gp1", 3),
    "float to row": Chain("S_ADD_FP f1, f1, f2\nV_MUL_VF gp1, gp2, f1\n" * 4, lambda _: 8),
    "sum to sum": Chain("V_RED_SUM f1, gp1\n" * 4, lambda log: 4 * (log + 2)),
    "maximum to maximum": Chain("V_RED_MAX f1, gp1\n" * 4, lambda log: 4 * ((log + 1) // 2 + 2)),
    # The row comes back to the reduction 3 cycles behind the V_ instruction.
    "sum, float, row": Chain(
        "V_RED_SUM f1, gp1\nS_MUL_FP f1, f1, f2\nV_MUL_VF gp1, gp1, f1\n", lambda log: log + 3 + 3
    ),
    "sum, exponential, row": Chain(
        "V_RED_SUM f1, gp1\nS_EXP_FP f1, f1\nV_SUB_VF gp1, gp1, f1, 0, 0\n", lambda log: log + 4 + 3
    ),
    "maximum, float, row": Chain(
        "V_RED_MAX f1, gp1\nS_MAX_FP f1, f1, f2\nV_SUB_VF gp1, gp1, f1, 0, 0\n",
        lambda log: (log + 1) // 2 + 3 + 3,
    ),
    "integers, which may pair": Chain("S_ADDI_INT gp7, gp7, 1\n" * 7, lambda _: 4),
    "end of a loop": Chain("V_ADD_VV gp1, gp3, gp4\n", lambda _: 1),
}


def program(hw: Hardware, chain: Chain, passes: int) -> list[int]:
    """The loop behind its constants."""
    rows = {f"gp{1 + bank}": bank * hw.mlen for bank in range(4)}
    constants = {**rows, "gp6": 3}
    lines = [f"S_ADDI_INT {register}, gp0, {value}" for register, value in constants.items()]
    return assemble("\n".join([*lines, f"C_LOOP_START gp15, {passes}", chain.body, "C_LOOP_END gp15"]))


@pytest.mark.parametrize("hw", [DIRECTED, machine(8, 8, 1, 2)], ids=lambda hw: f"{hw.mlen}_{hw.blen}")
def test_chains(hw: Hardware) -> None:
    """Every chain takes exactly its cycles; so a V_RED, S_, V_ chain stays below log2(MLEN) + 6."""
    assert hw.dispatch_width == 2
    images = random_images(hw, 5)
    jobs = {
        f"{name}, {passes}": bounded(program(hw, chain, passes), images, latency=10)
        for name, chain in CHAINS.items()
        for passes in (PASSES, 2 * PASSES)
    }
    pairs = check(hw, jobs)
    log = hw.mlen.bit_length() - 1
    measured = {
        name: (pairs[f"{name}, {2 * PASSES}"].got.cycles - pairs[f"{name}, {PASSES}"].got.cycles) / PASSES
        for name in CHAINS
    }
    assert measured == {name: chain.cycles(log) for name, chain in CHAINS.items()}
