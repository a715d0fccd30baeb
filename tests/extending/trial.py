"""Carrying out a page of docs/extending in a copy of the tree: all its steps, or all but one."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tb.engine import scratch, simulate
from tests.extending.steps import Command, Step, StepError, Variant, apply, parse

_TREE = ("rtl", "tb", "plena_ref", "scripts", "tests", "docs", "Makefile", "pyproject.toml", "README.md")


@dataclass(frozen=True)
class Ran:
    """A command that ran: its line, exit status and what it printed."""

    command: str
    status: int
    printed: str


def page(name: str) -> list[Step]:
    """The steps of docs/extending/`name`."""
    file = simulate.REPO / "docs" / "extending" / name
    return parse(file.read_text(encoding="utf-8"), f"docs/extending/{name}")


@contextmanager
def copied_tree() -> Iterator[Path]:
    """A copy of the source tree with tests and docs, removed afterwards; it shares the cache of models."""
    models = simulate.BUILD / "models"
    models.mkdir(parents=True, exist_ok=True)
    with scratch.folder(simulate.BUILD, "extending") as root:
        for part in _TREE:
            source = simulate.REPO / part
            if source.is_dir():
                shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, root / part)
        (root / "build").mkdir()
        (root / "build" / "models").symlink_to(models)
        (root / simulate.QUICK).touch()
        yield root


def run(root: Path, command: str, timeout: int = 300) -> Ran:
    """Run a command line (`python -m ...`) in the tree at `root` with this interpreter."""
    words = shlex.split(command)
    if words[0] == "python":
        words[0] = sys.executable
    result = subprocess.run(
        words,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
    )
    return Ran(command, result.returncode, result.stdout)


def succeed(root: Path, commands: Iterable[tuple[str, str]]) -> None:
    """Run command lines in the tree at `root`; each must succeed and print the text that goes with it."""
    for command, said in commands:
        ran = run(root, command)
        assert ran.status == 0 and said in ran.printed, ran.printed[-3000:]


def carry_out(root: Path, steps: Sequence[Step], variant: Variant, without: Step | None = None) -> None:
    """Carry out the steps in the tree at `root`, but for `without`.

    Raises:
        StepError: an edit does not apply; or, when no step is left out, a command fails.
    """
    for step in steps:
        if step is without:
            continue
        where = f"step {step.number} ({step.title})"
        for action in step.actions:
            if not variant.has(action.conditions):
                continue
            if not isinstance(action, Command):
                apply(action, variant, root, where)
                continue
            ran = run(root, variant.fill(action.text))
            if ran.status and without is None:
                raise StepError(f"{where}: {ran.command} ends with {ran.status}:\n{ran.printed}")


@contextmanager
def carried_out(name: str, variant: Variant, needs: str) -> Iterator[Path]:
    """A copy of the tree in which all steps of docs/extending/`name` are carried out; skips without `needs`.

    Raises:
        StepError: as :func:`carry_out`.
    """
    simulate.require(needs)
    with copied_tree() as root:
        carry_out(root, page(name), variant)
        yield root


def works(name: str, variant: Variant, needs: str, commands: Iterable[tuple[str, str]]) -> None:
    """All steps of docs/extending/`name`, after which command lines print the text that goes with them."""
    with carried_out(name, variant, needs) as root:
        succeed(root, commands)


def not_missed(steps: Sequence[Step], variant: Variant) -> list[str]:
    """Leave out one step after another, each in a fresh copy; a line for each that its check misses."""
    found = []
    for step in steps:
        if not step.concerns(variant):
            continue
        checks = [check for check in step.left_out if variant.has(check.conditions)]
        if not checks:
            found.append(f"step {step.number} ({step.title}): no check is named for {sorted(variant.tags)}")
        with copied_tree() as root:
            carry_out(root, steps, variant, without=step)
            for check in checks:
                message = variant.fill(check.message)
                ran = run(root, variant.fill(check.command))
                if ran.status == 0 or message not in ran.printed:
                    said = f"ends with {ran.status} and does not say '{message}':\n{ran.printed[-3000:]}"
                    found.append(f"step {step.number} ({step.title}) left out: {ran.command} {said}")
    return found
