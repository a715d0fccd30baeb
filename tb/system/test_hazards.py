"""Hazards between every ordered pair of units, as directed programs.

Read-after-write, write-after-read and write-after-write through VRAM rows, tiles, f registers, FP_MEM and
INT_MEM words, HBM bytes, and the integer and control registers. A program lets a first instruction wait for
a prefetch, so that it is late, and puts a second one on the same place right behind it, then 1, 2, 5 and 12
instructions further on.
"""

from __future__ import annotations

import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.machine.reference import Machine
from tb.system.equivalence import DIRECTED, MEMORIES, SCALES, bounded, check, random_images
from tb.system.hazard_accesses import ACCESSES, CHAINS, UNITS, Access, conflicts

#: Instructions between the two of a pair.
GAPS = (0, 1, 2, 5, 12)
MLEN = DIRECTED.mlen


def setup(gap_index: int) -> str:
    """Registers of one repetition: its own rows, words and HBM bytes, the same tiles."""
    row, hbm = 48 * gap_index, 2048 * gap_index
    constants = {
        1: row * MLEN,
        13: (row + 2) * MLEN,
        3: (row + 8) * MLEN,
        4: (row + 12) * MLEN,
        5: (row + 20) * MLEN,
        6: (row + 28) * MLEN,
        2: 0,
        11: 3 * MLEN * MLEN,
        7: hbm,
        8: hbm + 512,
        14: hbm + 1024,
        9: 64 * gap_index,
        15: 64 * gap_index + 32,
        10: 50 + 8 * gap_index,
        12: 1,
    }
    lines = [f"S_ADDI_INT gp{register}, gp0, {value}" for register, value in constants.items()]
    lines += [f"S_LD_FP f{register}, gp15, {20 + register}" for register in range(1, 6)]
    lines += [
        f"S_ADDI_INT gp12, gp0, {SCALES}",
        "C_SET_SCALE_REG gp12",
        "S_ADDI_INT gp12, gp0, 24",
        "C_SET_STRIDE_REG gp12",
        "C_SET_ADDR_REG a1, gp0, gp12",
        "C_SET_ADDR_REG a0, gp0, gp0",
        "S_ADDI_INT gp12, gp0, 2",
        "C_SET_V_MASK_REG gp12",
    ]
    return "\n".join(lines) + "\n"


def observe() -> str:
    """Put the f registers and gp12 where the next repetition does not overwrite them."""
    lines = [f"S_ST_FP f{register}, gp15, {register}" for register in range(1, 6)]
    return "\n".join([*lines, "S_ST_INT gp12, gp10, 1"]) + "\n"


def repeated(bodies: list[str]) -> list[int]:
    """One program that runs each body in its own rows and words, and looks at the registers behind it."""
    return assemble("".join(setup(index) + body + "\n" + observe() for index, body in enumerate(bodies)))


def pair_program(first: Access, second: Access) -> list[int]:
    """The pair at every distance."""
    filler = "\nS_ADD_INT gp0, gp0, gp0"
    return repeated([first.late + filler * gap + "\n" + second.prompt for gap in GAPS])


def programs() -> dict[str, list[int]]:
    """Every conflicting ordered pair and every chain, by name."""
    found = {
        f"{first.name} > {second.name}": pair_program(first, second)
        for first in ACCESSES
        for second in ACCESSES
        if conflicts(first, second)
    }
    for (first, second), text in CHAINS.items():
        found[f"{first} > {second}"] = repeated([text] * len(GAPS))
    return found


def test_every_ordered_pair_of_units_is_covered() -> None:
    direct = {
        (first.unit, second.unit) for first in ACCESSES for second in ACCESSES if conflicts(first, second)
    }
    assert direct | set(CHAINS) == {(first, second) for first in UNITS for second in UNITS}
    assert not direct & set(CHAINS)


@pytest.mark.parametrize("latency", [1, 100])
def test_hazards(latency: int) -> None:
    images = random_images(DIRECTED, 1)
    jobs = {
        name: bounded(words, images, latency=latency, reset=number == 0)
        for number, (name, words) in enumerate(programs().items())
    }
    pairs = check(DIRECTED, jobs)
    assert {pair.report.status for pair in pairs.values()} == {"stopped"}


def test_the_order_of_a_pair_shows_in_memory() -> None:
    """The two instructions of a pair, swapped, leave something else: the data tells orders apart."""
    images = random_images(DIRECTED, 1)

    def left(text: str) -> bytes:
        machine = Machine(DIRECTED, images.copy())
        assert machine.run(repeated([text])).status == "stopped"
        return b"".join(getattr(machine.images, memory).tobytes() for memory in MEMORIES)

    same = [
        f"{first.name} > {second.name}"
        for first in ACCESSES
        for second in ACCESSES
        if conflicts(first, second) and first != second
        if left(f"{first.prompt}\n{second.prompt}") == left(f"{second.prompt}\n{first.prompt}")
    ]
    assert same == []
