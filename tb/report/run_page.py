"""The page of a run: its frame, and the parts that are text and tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template

from plena_ref.verdict import report
from plena_ref.verdict.accuracy import BatchRow
from plena_ref.verdict.stages import StageVerdict
from tb.diagnosis.account import Account, Culprit, Difference
from tb.report.markup import scroll, section, table, text

_FOLDER = Path(__file__).parent
#: Parts of the page that the bar at its top leads to, where the page has them.
_PARTS = ("batches", "cause", "errors", "stages", "mask", "cycles", "memory", "listing")


def head(title: str) -> str:
    """What the pages of runs and of sweeps begin with, up to the styles that each has for itself."""
    template = Template((_FOLDER / "head.html").read_text(encoding="utf-8"))
    style = (_FOLDER / "style.css").read_text(encoding="utf-8")
    return template.substitute(title=text(title), style=style)


def page(title: str, parts: Sequence[str]) -> str:
    """The page as one file that needs nothing else.

    Args:
        title: of the page.
        parts: its sections in order, as `section` makes them.
    """
    body = "".join(parts)
    links = "".join(f'<a href="#{name}">{name}</a>' for name in _PARTS if f'id="{name}"' in body)
    template = Template((_FOLDER / "page.html").read_text(encoding="utf-8"))
    bar = f'<nav aria-label="parts of the page">{links}</nav>'
    return template.substitute(head=head(title), body=f"<h1>{text(title)}</h1>{bar}{body}")


def verdict(passed: bool, facts: Sequence[tuple[str, str]], lines: Sequence[str], command: str) -> str:
    """What the run was and what came of it.

    Args:
        passed: the verdict.
        facts: names and values that stand large.
        lines: what it was in sentences, and why it did not pass.
        command: what makes it again.
    """
    state = ("good", "PASS") if passed else ("bad", "FAIL")
    tiles = [f'<div class="tile {state[0]}"><b>{state[1]}</b>verdict</div>']
    tiles += [f'<div class="tile"><b>{text(value)}</b>{text(name)}</div>' for name, value in facts]
    said = "".join(f"<li>{text(line)}</li>" for line in lines)
    shown = f'<ul class="reading">{said}</ul><p><code>{text(command)}</code></p>'
    return f'<section id="verdict"><div class="tiles">{"".join(tiles)}</div>{shown}</section>'


def batches(rows: Sequence[BatchRow]) -> str:
    """A line a batch."""
    lines = [report.batch_cells(row) for row in rows]
    return section("batches", "Batches", table(report.batch_columns(), lines, "verdict per batch"))


def stages(verdicts: Sequence[StageVerdict]) -> str:
    """A line a stage."""
    if not verdicts:
        return ""
    shown = table(report.STAGE_COLUMNS, map(report.stage_cells, verdicts), "stages")
    return section("stages", "Stages, each from what it read", shown)


def cause(account: Account | None) -> str:
    """The reading, the first wrong instruction, and what differs at the end."""
    if account is None:
        return ""
    said = "".join(f"<li>{text(sentence)}</li>" for sentence in account.reading)
    content = f'<ul class="reading">{said}</ul>'
    if account.culprit is not None:
        content += _culprit(account.culprit)
    if account.differences:
        content += "<h3>Words that differ at the end</h3>" + _differences(account.differences)
    if account.registers:
        content += f"<p>{text('; '.join(account.registers))}</p>"
    return section("cause", "What it comes from", content)


def _culprit(culprit: Culprit) -> str:
    facts: list[tuple[str, object]] = [
        ("instruction", f"pc {culprit.pc}: {culprit.instruction} ({culprit.word})"),
        ("when", f"cycle {culprit.cycle} (waves: {culprit.wave_ns} ns), after {culprit.number} instructions"),
        ("how sure", f"{culprit.how} ({culprit.probes} runs to a cycle, {culprit.seconds:.1f} s)"),
        ("what it did", culprit.did or "not known"),
        ("kernel", culprit.source or "not known"),
        ("loops", "; ".join(culprit.loops) or "none is open"),
    ]
    if culprit.registers:
        facts.append(("wrong registers", "; ".join(culprit.registers)))
    listing = scroll(f"<pre>{text(chr(10).join(culprit.listing))}</pre>", "lines around the instruction")
    return (
        "<h3>First wrong instruction</h3>"
        + table(("", ""), facts, "first wrong instruction")
        + ("<h3>Wrong after it</h3>" + _differences(culprit.wrong) if culprit.wrong else "")
        + listing
    )


def _differences(differences: Sequence[Difference]) -> str:
    rows = [(one.memory, one.where, one.words, "; ".join(one.examples)) for one in differences]
    return table(("memory", "where", "words", "the first"), rows, "words that differ")
