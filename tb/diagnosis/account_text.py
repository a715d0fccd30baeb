"""What was found about a run that failed, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from tb.diagnosis.account import Account, Culprit, Difference


def print_account(account: Account, console: Console) -> None:
    """Print what was found."""
    for line in lines(account):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def lines(account: Account) -> Iterator[str]:
    """What was found, the first wrong instruction last."""
    for sentence in account.reading:
        yield f"reading: {sentence}"
    if account.differences:
        yield "wrong at the end:"
        yield from _differences(account.differences)
    if account.culprit is not None:
        yield from _culprit(account.culprit)


def _differences(differences: tuple[Difference, ...]) -> Iterator[str]:
    for difference in differences:
        yield f"  {difference.memory}: {difference.where}, {difference.words} words"
        yield f"    {difference.examples[0]}"


def _culprit(culprit: Culprit) -> Iterator[str]:
    """The first wrong instruction, where it stands, and what it did."""
    yield f"first wrong instruction: pc {culprit.pc}, {culprit.instruction} ({culprit.word})"
    when = f"cycle {culprit.cycle} (waves: {culprit.wave_ns} ns), after {culprit.number} instructions"
    yield f"  in {when}; {culprit.how}"
    yield f"  ({culprit.probes} runs to a cycle, {culprit.seconds:.1f} s)"
    if culprit.did is not None:
        yield f"  {culprit.did}"
    for loop in culprit.loops:
        yield f"  in {loop}"
    if culprit.source is not None:
        yield f"  written by {culprit.source}"
    yield "  wrong after it:"
    for line in _differences(culprit.wrong):
        yield f"  {line}"
    for register in culprit.registers:
        yield f"    {register}"
    yield "  listing:"
    for line in culprit.listing:
        yield f"    {line}"
