"""What a whole sweep has measured, as docs/sweep.md shows it: `python -m tb.sweep.measured [report.json]`."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tb.bench import command, options
from tb.engine.paths import BUILD
from tb.sweep.report_content import CellEntry, Report

_COLUMNS = (
    "MLEN",
    "cells",
    "passed",
    "bit-exact",
    "lowest match %",
    "largest error",
    "error / predicted",
    "error / closed form",
    "longest simulation, s",
    "longest reference run, s",
)


def markdown(content: Report) -> str:
    """A report as Markdown.

    Args:
        content: what `report.collect` returned, or what JSON made of it.

    Returns:
        A sentence of counts, a table with a line per MLEN, and the share of each phase. Of cells that have
        not run, only their number is shown.
    """
    machines: defaultdict[int, list[CellEntry]] = defaultdict(list)
    for cell in content["cells"]:
        machines[cell["mlen"]].append(cell)
    lines = [_line(_COLUMNS), _line(["---"] * len(_COLUMNS))]
    lines += [_line(_of_machine(mlen, cells)) for mlen, cells in sorted(machines.items())]
    return "\n".join([_counts(content["summary"]), "", *lines, "", _phases(content["seconds"])])


def _of_machine(mlen: int, cells: Sequence[CellEntry]) -> list[str]:
    """The line of one MLEN."""
    ran = [cell for cell in cells if "cycles" in cell]
    passed = sum(cell["status"] == "passed" for cell in cells)
    if not ran:
        return [str(mlen), f"{len(cells):,}", "0", *["" for _ in _COLUMNS[3:]]]
    return [
        str(mlen),
        f"{len(cells):,}",
        f"{passed:,}",
        f"{sum(cell['bit_exact'] for cell in ran):,}",
        f"{min(cell['match_percent'] for cell in ran):.2f}",
        f"{max(_number(cell['max_error']) for cell in ran):.3f}",
        _range([cell["predicted_ratio"] for cell in ran], 3),
        _range([cell["expected_ratio"] for cell in ran], 2),
        f"{max(cell['phases'].get('simulation', 0.0) for cell in ran):.1f}",
        f"{max(cell['phases'].get('reference', 0.0) for cell in ran):.1f}",
    ]


def _number(value: float | None) -> float:
    """Of a report, where None stands for what JSON has no number for."""
    return float("inf") if value is None else value


def _range(values: Sequence[float | None], digits: int) -> str:
    numbers = [_number(value) for value in values]
    return f"{min(numbers):.{digits}f} .. {max(numbers):.{digits}f}"


def _counts(summary: dict[str, dict[str, int]]) -> str:
    kinds = (
        f"{what}: {', '.join(f'{count:,} {state}' for state, count in states.items() if count)}"
        for what, states in summary.items()
        if any(states.values())
    )
    return "; ".join(kinds) + "."


def _phases(seconds: dict[str, float]) -> str:
    """Seconds by phase, the largest first, with their share."""
    total = sum(seconds.values()) or 1.0
    parts = [f"{name} {spent:,.0f} s ({spent / total:.0%})" for name, spent in seconds.items()]
    return f"Where the {total:,.0f} s of all processes went: {', '.join(parts)}."


def _line(fields: Sequence[str]) -> str:
    return f"| {' | '.join(fields)} |"


def main(arguments: Sequence[str]) -> int:
    """Print the table of a report; returns the exit status."""
    file = Path(arguments[0]) if arguments else BUILD / "sweep" / "report.json"
    try:
        print(markdown(json.loads(file.read_text())))
    except OSError as error:
        return options.fail(f"{file}: {error.strerror}; run make sweep first")
    except (ValueError, LookupError, TypeError):
        return options.fail(f"{file} is no report of a sweep")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
