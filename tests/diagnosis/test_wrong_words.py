"""What wrong words have in common is said in a clause; words without a rule are left alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import U16
from plena_ref.machine.state import MemoryImages
from tb.diagnosis.state import StateDifference
from tb.diagnosis.wrong_words import explain

HW = Hardware(8, 4, vram_elems=1 << 10, msram_tiles=1, hbm_bytes=1 << 12)
#: Numbers of both signs that are neither zero nor subnormal.
RIGHT = (np.random.default_rng(5).normal(size=64).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
#: A power of two for each group of eight words.
STEPS = np.repeat(np.arange(8, dtype=np.uint16) % 3 - 1, 8).astype(np.uint16) << 7


def said(fault: Callable[[U16], U16], memory: str = "vram") -> str | None:
    """What is said when 64 words are wrong like that, where before there was 1.0."""
    before, got, wanted = (MemoryImages.zeros(HW) for _ in range(3))
    for images, words in ((before, np.full(64, 0x3F80)), (got, fault(RIGHT)), (wanted, RIGHT)):
        getattr(images, memory)[:64] = words
    wrong = np.flatnonzero(getattr(got, memory) != getattr(wanted, memory))
    return explain(StateDifference({memory: wrong}), before, got, wanted)


@pytest.mark.parametrize(
    ("fault", "clause"),
    [
        (
            lambda right: np.where(np.arange(64) % 2, right - 1, right),
            "32 wrong .* toward zero",
        ),
        (lambda right: right + 1, "rounded away from zero"),
        (lambda right: right - 1 + 2 * (np.arange(64) % 2), "some up and some down"),
        (lambda right: right ^ 0x8000, "has the wrong sign and nothing else"),
        (lambda right: right * 0, "is zero"),
        (lambda right: right * 0 + 0x3F80, "holds what it held before: nothing was written there"),
        (lambda right: right + (2 << 7), r"2\*\*2 times what it must be"),
        (lambda right: right + STEPS, r"power of two, 2\*\*-1 to 2\*\*1: its scale is wrong"),
    ],
)
@pytest.mark.parametrize("memory", ["vram", "msram", "fpmem"])
def test_a_rule_is_said(fault: Callable[[U16], U16], clause: str, memory: str) -> None:
    text = said(lambda right: fault(right).astype(np.uint16), memory)
    assert text is not None
    assert re.search(clause, text), text


@pytest.mark.parametrize(
    "fault",
    [
        lambda right: right[::-1],
        lambda right: np.where(np.arange(64) < 2, right - 1, right),  # two words show no rule
        lambda right: np.where(np.arange(64) % 2, right - 1, right + 3),
        lambda right: np.where(np.arange(64) % 2, right ^ 0x8000, right + 1),
        lambda right: np.full(64, 0x7F80),
    ],
)
def test_what_shows_no_rule_is_left_alone(fault: Callable[[U16], U16]) -> None:
    assert said(lambda right: fault(right).astype(np.uint16)) is None


def test_words_of_other_memories_are_left_alone() -> None:
    images = MemoryImages.zeros(HW)
    assert explain(StateDifference({"intmem": np.arange(5)}), images, images, images) is None
