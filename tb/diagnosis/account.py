"""What was found about a run that failed, as plain values: for `result.json`, the terminal and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.disassembler import disassemble
from plena_ref.isa.instructions import BY_OPCODE, opcode
from plena_ref.machine.state import MemoryImages
from tb.diagnosis.first_wrong import FirstWrong
from tb.diagnosis.listing_lines import ListingLines
from tb.diagnosis.names import Names
from tb.diagnosis.state import shown

#: Nanoseconds from the start of a simulation to cycle 0 of its first program, by the bench's host; a cycle is
#: one nanosecond.
WAVE_START_NS = 36.5
#: Parts of a memory, and words of a part, that are told one by one.
MOST_PARTS, MOST_WORDS = 12, 4


@dataclass(frozen=True)
class Difference:
    """Words of one tensor, in one batch and head, that differ.

    Attributes:
        memory: vram, msram, fpmem, intmem or hbm.
        where: which words, by name.
        words: how many.
        examples: the first of them, each with what was got and expected, as bits and numbers.
    """

    memory: str
    where: str
    words: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Culprit:
    """The first wrong instruction; the attributes are those of `first_wrong.FirstWrong`, in words.

    Attributes:
        wave_ns: where that is in a wave file of the run, nanoseconds.
        unit: of the machine, by its letter.
        source: file and line of the kernel.
        loops: the open loops, outermost first.
        wrong: what is wrong after it.
        listing: lines around it.
        did: what it did in the place of what it must, where that was found out.
    """

    number: int
    pc: int
    cycle: int
    wave_ns: float
    word: str
    instruction: str
    unit: str
    how: str
    source: str | None
    loops: tuple[str, ...]
    wrong: tuple[Difference, ...]
    registers: tuple[str, ...]
    listing: tuple[str, ...]
    probes: int
    seconds: float
    did: str | None = None


@dataclass(frozen=True)
class Account:
    """All of it.

    Attributes:
        differences: words at the end that differ from the reference machine's.
        registers: registers that do.
        culprit: the first wrong instruction; None where every bit is right.
        reading: what the pattern of the errors says, and why, a sentence each.
    """

    differences: tuple[Difference, ...] = ()
    registers: tuple[str, ...] = ()
    culprit: Culprit | None = None
    reading: tuple[str, ...] = field(default_factory=tuple)

    def to_json(self) -> dict[str, object]:
        """For `result.json`."""
        return asdict(self)


def differences(
    names: Names, memories: Mapping[str, NDArray[np.int64]], got: MemoryImages, wanted: MemoryImages
) -> tuple[Difference, ...]:
    """Words that differ, by tensor.

    Args:
        names: of the run.
        memories: the words by memory.
        got, wanted: what the memories hold, and what they should.
    """
    found = []
    for memory, addresses in memories.items():
        for part in names.parts(memory, addresses)[:MOST_PARTS]:
            left, right = getattr(got, memory), getattr(wanted, memory)
            examples = tuple(
                f"{names.word(memory, int(at))}: got {shown(memory, int(left[at]))}, "
                f"expected {shown(memory, int(right[at]))}"
                for at in part.addresses[:MOST_WORDS]
            )
            found.append(Difference(memory, part.text(names.hw, memory), len(part.addresses), examples))
    return tuple(found)


def culprit(
    found: FirstWrong, names: Names, listing: ListingLines, words: Sequence[int], did: str | None = None
) -> Culprit:
    """The first wrong instruction in words; `did` as of `operands.explain`."""
    entry = BY_OPCODE.get(opcode(found.word))
    how = found.how
    if found.other is not None and found.other != found.pc:
        how += f" (the other is pc {found.other}: {disassemble(int(words[found.other]))})"
    return Culprit(
        number=found.number,
        pc=found.pc,
        cycle=found.cycle,
        wave_ns=WAVE_START_NS + found.cycle,
        word=f"0x{found.word:08X}",
        instruction=disassemble(found.word),
        unit=entry.unit.name if entry is not None else "none",
        how=how,
        source=listing.source(found.pc),
        loops=tuple(listing.loop(pc, turn, int(words[pc]) >> 10) for pc, turn in found.loops),
        wrong=differences(names, found.difference.memories, found.got.images, found.wanted),
        registers=found.difference.registers,
        listing=tuple(listing.around(found.pc)),
        probes=found.probes,
        seconds=round(found.seconds, 2),
        did=did,
    )
