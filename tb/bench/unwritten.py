"""The first read of a word that nobody wrote and that a result depends on: ``UNWRITTEN=1``.

Nobody is the host, which writes what it stages, and the program. Such a read works while memories happen to
be zero; docs/isa.md says that they are undefined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.machine.reference.step import Step
from plena_ref.machine.state import MemoryImages, WrittenMaps
from plena_ref.verdict.memory import word_name
from tb.diagnosis.provenance import CLEAN, Provenance, UnwrittenRead, least, rule_of
from tb.diagnosis.provenance_rules import RULES


def known_words(hw: Hardware, staged: Mapping[str, int]) -> WrittenMaps:
    """The words that a host wrote: of each named memory the first so many."""
    known = WrittenMaps.nothing(hw)
    for memory, count in staged.items():
        getattr(known, memory)[:count] = True
    return known


def trace(
    hw: Hardware, words: Sequence[int], images: MemoryImages, known: WrittenMaps, limit: int | None = None
) -> tuple[Machine, Provenance]:
    """Run a program and follow where its values come from.

    Args:
        hw: the machine.
        words: the program.
        images: memories before the run; they are changed.
        known: the words that the host wrote; what the program writes is added.
        limit: HBM limit in bytes; None: all of it.
    """
    machine = Machine(hw, images, limit)
    labels = Provenance(machine, known)

    def watch(pc: int, step: Step) -> Step:
        rule = rule_of(int(words[pc]), RULES)
        if rule is None:
            return step

        def watched() -> int | None:
            try:
                done = rule(labels, pc, int(words[pc]))
            except (IndexError, ValueError):
                # An operand past the end of its memory: the step traps.
                return step()
            target = step()
            done()
            return target

        return watched

    machine.run(words, watch=watch)
    return machine, labels


def first_unwritten_read(
    hw: Hardware,
    words: Sequence[int],
    images: MemoryImages,
    known: WrittenMaps,
    result: Mapping[str, NDArray[np.int64]] | None = None,
    limit: int | None = None,
) -> UnwrittenRead | None:
    """The earliest read of a word that nobody wrote and that reaches a result, or an address; else None.

    Args:
        hw, words, images, known, limit: see :func:`trace`.
        result: addresses of the result's words by memory; None: every word of VRAM and HBM that the program
            wrote.
    """
    machine, labels = trace(hw, words, images, known, limit)
    if result is None:
        result = {name: np.flatnonzero(getattr(machine.written, name)) for name in ("vram", "hbm")}
    found = [labels.labels[memory][where] for memory, where in result.items() if where.size]
    label = least(labels.addresses, *found)
    return None if label == CLEAN else labels.reads[label]


def describe(hw: Hardware, found: UnwrittenRead | None, place: str | None, result: str) -> str:
    """The outcome of a search in a line; `place` is the reading instruction, `result` what was looked at."""
    if found is None:
        return f"unwritten: no word that nobody wrote reaches {result}"
    where = word_name(hw, found.memory, found.address)
    return f"unwritten: {where}, which nobody wrote, reaches {result}; first read at {place}"
