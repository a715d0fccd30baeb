"""A place in a run as it is typed: ``cycle:700`` (or ``700``), ``pc:131`` or ``stage:softmax``.

A pc is the cycle in which that instruction first retires; a stage is an outermost part of the program, and
begins with its first instruction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tb.bench import words

#: What a place may be.
KINDS = ("cycle", "pc", "stage")
#: The largest number of a place: the bench reads it as an int.
MOST = 2**31 - 1
#: A line of program.lst: indentation, pc, and the comment after both.
_INSTRUCTION = re.compile(r"^( *)\S.*; +(\d+) 0x[0-9A-F]{8}(?: \| (.*))?$")
_COMMENT = re.compile(r"^; (.*)$")


class WavePlaceError(ValueError):
    """A place that a run does not have; the message says what there is."""


@dataclass(frozen=True)
class Place:
    """A place.

    Attributes:
        key: of the option that names it, which its errors begin with.
        text: as it was typed.
        kind: one of `KINDS`, or another word that was allowed.
        name: the stage, or the number as text.
    """

    key: str
    text: str
    kind: str
    name: str

    @property
    def number(self) -> int:
        """The cycle or the pc."""
        return int(self.name)

    def error(self, why: str) -> WavePlaceError:
        """What is wrong with it."""
        return WavePlaceError(f"{self.key}={self.text}: {why}")

    def no_stage(self, known: list[str]) -> WavePlaceError:
        """It is none of the stages that there are."""
        return self.error(words.advice(self.name, known, "stage:{}") if known else "there are no stages")


def read(key: str, text: str, alone: tuple[str, ...] = ()) -> Place:
    """The place that an option names; the words `alone` are places too.

    Raises:
        WavePlaceError: it is none.
    """
    kind, _, name = text.partition(":") if ":" in text else ("cycle", "", text)
    place = Place(key, text, text if text in alone else kind, name)
    if text in alone:
        return place
    number = name.isascii() and name.isdigit() and int(name) <= MOST
    if kind not in KINDS or not (number if kind != "stage" else name):
        raise place.error(f"give {', '.join(['cycle:700', 'pc:131', *alone])} or stage:name")
    return place


def sections(listing: str) -> Iterator[tuple[int, str]]:
    """The pc at which each outermost part of a numbered listing begins, and its comment."""
    pending = ""
    for number, line in enumerate(listing.splitlines()):
        comment, instruction = _COMMENT.match(line), _INSTRUCTION.match(line)
        if comment and number:
            pending = comment[1]
        elif instruction and not instruction[1]:
            loop = line.startswith("C_LOOP_START")
            name = (instruction[3] or "") if loop else pending
            if name:
                yield int(instruction[2]), name
            pending = ""
        elif instruction and pending:
            # A comment whose part is indented belongs to the loop around it.
            pending = ""
