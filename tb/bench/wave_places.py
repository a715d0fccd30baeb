"""A place in a run as it is typed: ``cycle:700`` (or ``700``), ``pc:131`` or ``stage:batches``.

A pc is the cycle in which that instruction first retires; a stage is a part of the program that its listing
names, and begins with its first instruction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tb.bench import words

#: What a place may be.
KINDS = ("cycle", "pc", "stage")
#: The largest number of a place: the bench reads it as an int.
MOST = 2**31 - 1
#: A line of program.lst: indentation, pc, and the comment after both.
_INSTRUCTION = re.compile(r"^( *)\S.*; +(\d+) 0x[0-9A-F]{8}(?: \| (.*))?$")
_COMMENT = re.compile(r"^( *); (.*)$")


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


@dataclass(frozen=True)
class Part:
    """A part of a program that its listing names, by a comment before it or beside the start of a loop.

    Attributes:
        pc: of its first instruction.
        end: pc of the first instruction after it, for one in a loop in the same pass; None: there is none.
        depth: indentation; 0 for the outermost parts.
        title: the comment.
    """

    pc: int
    end: int | None
    depth: int
    title: str


def parts(listing: str) -> list[Part]:
    """The parts of a program from its numbered listing, the outermost first."""
    found: list[Part] = []
    open_parts: list[Part] = []
    before: tuple[int, str] | None = None
    for number, line in enumerate(listing.splitlines()):
        comment, instruction = _COMMENT.match(line), _INSTRUCTION.match(line)
        if comment and number:
            before = len(comment[1]), comment[2]
        elif instruction:
            depth, pc = len(instruction[1]), int(instruction[2])
            # A comment whose part is indented belongs to the loop around it.
            title = before[1] if before is not None and before[0] == depth else ""
            if line.lstrip().startswith("C_LOOP_START"):
                title = instruction[3] or ""
            ended = [one for one in open_parts if one.depth > depth or (title and one.depth == depth)]
            found += [replace(one, end=pc) for one in ended]
            open_parts = [one for one in open_parts if one not in ended]
            if title:
                open_parts.append(Part(pc, None, depth, title))
            before = None
    return sorted([*found, *open_parts], key=lambda one: (one.depth, one.pc))


def sections(listing: str) -> list[tuple[int, str]]:
    """The pc at which each outermost part of a numbered listing begins, and its comment."""
    return [(one.pc, one.title) for one in parts(listing) if not one.depth]


def part_of(place: Place, listing: str) -> Part:
    """The part that a stage names: the outermost whose title has its letters, and of these the first.

    Raises:
        WavePlaceError: there is none.
    """
    known = parts(listing)
    for one in known:
        if place.name.lower() in one.title.lower():
            return one
    titles = [one.title for one in known]
    if words.closest(place.name, titles) is None:
        titles = [one.title for one in known if not one.depth]
    raise place.error(words.advice(place.name, titles, "stage:{}") if titles else "there are no stages")
