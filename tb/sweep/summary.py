"""What a sweep prints at its end, and whether it was a success."""

from __future__ import annotations

from collections.abc import Collection

from rich.console import Console
from rich.table import Table

from tb.sweep.report_content import Item, Report

#: So many failures are printed; the report has all of them.
MOST = 40


def show(content: Report, chosen: Collection[str], console: Console) -> bool:
    """Print a report in short.

    Args:
        content: what `report.collect` returned.
        chosen: names of the cells and mutants that this sweep was to run.

    Returns:
        Whether all chosen ones have a result, and nothing in the report has failed.
    """
    counts = content["summary"]
    table = Table(title="sweep", title_justify="left")
    for column in ("", "passed", "failed", "could not run", "not run", "illegal"):
        table.add_column(column, justify="left" if not column else "right")
    cells = counts["cells"]
    states = ("passed", "failed", "could not run", "not run")
    table.add_row("cells", *(str(cells[state]) for state in states), str(len(content["illegal"])))
    mutants = counts["mutants"]
    table.add_row("mutants", *(str(mutants[state]) for state in ("caught", "not caught", *states[2:])), "")
    console.print(table)
    items: list[Item] = [*content["cells"], *content["mutants"]]
    bad = [item for item in items if item["status"] in ("failed", "not caught")]
    could_not = [item for item in items if item["status"] == "could not run"]
    for item in [*bad, *could_not][:MOST]:
        console.print(f"{item['status'].upper()} {item['name']}: {item['why']}", markup=False, soft_wrap=True)
    if len(bad) + len(could_not) > MOST:
        console.print(f"... and {len(bad) + len(could_not) - MOST} more, in the report")
    ready = {item["name"] for item in items if item["status"] in ("passed", "caught")}
    missing = [name for name in chosen if name not in ready]
    without = [item["name"] for item in items if item["status"] == "not run" and item["name"] in set(missing)]
    if without:
        console.print(f"{len(without)} of those chosen have no result")
    return not bad and not missing
