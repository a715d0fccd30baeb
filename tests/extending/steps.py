"""The numbered steps of a page of docs/extending, read from its text so that a test can carry them out.

What the mechanism understands of a page; everything else is prose:

- `## 3. Title` begins step 3.
- A line `In `path`:` and a fenced `diff` block behind it change a file. Lines that begin with a space must
  stand in the file, one behind the other and exactly once; lines with `-` go, lines with `+` come.
- A line `New file `path`:` and a fenced block behind it make a file.
- A fenced `sh` block holds commands, one a line.
- A line `Left out: `command` says "text".` names the check that misses the step.

`In`, `New file`, `Commands` and `Left out` may carry conditions, `In `path` (vector, new operation):`; they
count only for a variant that has all these tags. `<name>` stands for the variant's value of that name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_STEP = re.compile(r"## (\d+)\. (.+)")
_TARGET = re.compile(r"(In|New file) `([^`]+)`(?: \(([^)]*)\))?:")
_COMMANDS = re.compile(r"Commands(?: \(([^)]*)\))?:")
_LEFT_OUT = re.compile(r'Left out(?: \(([^)]*)\))?: `([^`]+)` says "(.+)"\.')
_FENCE = re.compile(r"```(\w*)")
_PLACEHOLDER = re.compile(r"<([a-z][a-z0-9_]*)>")


class StepError(ValueError):
    """A page that cannot be read, or a step that cannot be carried out; the message names page and step."""


@dataclass(frozen=True)
class Variant:
    """One thing to add, drawn from several.

    Attributes:
        values: by the name of the placeholder.
        tags: conditions that hold for it.
    """

    values: Mapping[str, str]
    tags: frozenset[str] = frozenset()

    def fill(self, text: str) -> str:
        """`text` with the variant's values; a `<name>` that it has no value for stays."""
        return _PLACEHOLDER.sub(lambda match: self.values.get(match[1], match[0]), text)

    def has(self, conditions: frozenset[str]) -> bool:
        """True when all `conditions` hold."""
        return conditions <= self.tags


@dataclass(frozen=True)
class Edit:
    """`old`, exactly once in the file, becomes `new`; without `old` the file is new and holds `new`."""

    path: str
    old: str | None
    new: str
    conditions: frozenset[str]


@dataclass(frozen=True)
class Command:
    """A command line to run in the root of the tree."""

    text: str
    conditions: frozenset[str]


@dataclass(frozen=True)
class LeftOut:
    """The check that misses the step: a command that fails, and a text that it prints."""

    command: str
    message: str
    conditions: frozenset[str]


@dataclass
class Step:
    """One numbered step of a page."""

    number: int
    title: str
    actions: list[Edit | Command] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def concerns(self, variant: Variant) -> bool:
        """True when the step asks something of this variant."""
        return any(variant.has(action.conditions) for action in self.actions)


def _conditions(text: str | None) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",")) if text else frozenset()


def _diff(lines: Sequence[str], where: str) -> tuple[str, str]:
    """Old and new text of a diff block."""
    for line in lines:
        if line and line[0] not in " +-":
            raise StepError(f"{where}: a line of a diff begins with a space, + or -: {line!r}")
    old = [line[1:] for line in lines if not line.startswith("+")]
    new = [line[1:] for line in lines if not line.startswith("-")]
    if not old or old == new:
        raise StepError(f"{where}: a diff needs lines that stand in the file, and a change")
    return "".join(f"{line}\n" for line in old), "".join(f"{line}\n" for line in new)


def _block(lines: Sequence[str], start: int, where: str) -> tuple[list[str], int]:
    """The lines of the fenced block whose opening fence is line `start`, and the line behind it."""
    for end in range(start + 1, len(lines)):
        if lines[end] == "```":
            return list(lines[start + 1 : end]), end + 1
    raise StepError(f"{where}: a fenced block does not end")


def parse(text: str, page: str) -> list[Step]:
    """The steps of a page.

    Args:
        text: Markdown.
        page: its name, for messages.

    Raises:
        StepError: steps are not numbered 1, 2, ..., a block is broken, or a step has no action or no check
            that misses it.
    """
    steps: list[Step] = []
    target: re.Match[str] | None = None
    when: frozenset[str] = frozenset()
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        where = f"{page}, line {at + 1}"
        at += 1
        if match := _STEP.fullmatch(line):
            steps.append(Step(int(match[1]), match[2]))
            target, when = None, frozenset()
        elif match := _TARGET.fullmatch(line):
            target = match
        elif match := _COMMANDS.fullmatch(line):
            when = _conditions(match[1])
        elif steps and (match := _LEFT_OUT.fullmatch(line)):
            steps[-1].left_out.append(LeftOut(match[2], match[3], _conditions(match[1])))
        elif line.startswith("Left out"):
            raise StepError(f'{where}: expected: Left out: `command` says "text".')
        elif match := _FENCE.fullmatch(line):
            block, at = _block(lines, at - 1, where)
            if steps and target is not None:
                steps[-1].actions.append(_edit(target, match[1], block, where))
            elif steps and match[1] == "sh":
                steps[-1].actions += [Command(command, when) for command in block]
            target, when = None, frozenset()
    _check(steps, page)
    return steps


def _edit(target: re.Match[str], language: str, block: list[str], where: str) -> Edit:
    """The edit that a target line and the block behind it ask for."""
    if target[1] == "New file":
        return Edit(target[2], None, "".join(f"{line}\n" for line in block), _conditions(target[3]))
    if language != "diff":
        raise StepError(f"{where}: a change of {target[2]} is a diff block, not '{language}'")
    return Edit(target[2], *_diff(block, where), _conditions(target[3]))


def _check(steps: Sequence[Step], page: str) -> None:
    if not steps or [step.number for step in steps] != list(range(1, len(steps) + 1)):
        raise StepError(f"{page}: steps must be numbered 1, 2, ...: {[step.number for step in steps]}")
    for step in steps:
        if not step.actions:
            raise StepError(f"{page}, step {step.number}: nothing to do")
        if not step.left_out:
            raise StepError(f"{page}, step {step.number}: no check is named that misses the step")


def apply(edit: Edit, variant: Variant, root: Path, where: str) -> None:
    """Carry out one edit in the tree at `root`.

    Raises:
        StepError: the text to change is not exactly once in the file, or a new file exists already.
    """
    file = root / variant.fill(edit.path)
    if edit.old is None:
        if file.exists():
            raise StepError(f"{where}: {file.relative_to(root)} exists already")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(variant.fill(edit.new), encoding="utf-8")
        return
    if not file.exists():
        raise StepError(f"{where}: there is no {file.relative_to(root)}")
    text, old = file.read_text(encoding="utf-8"), variant.fill(edit.old)
    if text.count(old) != 1:
        raise StepError(f"{where}: {file.relative_to(root)} has this text {text.count(old)} times:\n{old}")
    file.write_text(text.replace(old, variant.fill(edit.new)), encoding="utf-8")
