"""Measure the committed table of cycle counts again and rewrite it: ``python -m scripts.cycles``."""

from __future__ import annotations

import sys

from tb.bench import command, options
from tb.engine import simulate
from tb.system import cycles


def main(arguments: list[str]) -> int:
    """Measure every entry, print what changed, and rewrite the table."""
    options.refuse_all(arguments)
    try:
        counts = cycles.measure(cycles.entries())
    except (cycles.CyclesError, simulate.SimulationError) as error:
        return options.fail(error)
    before = cycles.read() if cycles.TABLE.exists() else {}
    for entry in [*counts, *(entry for entry in before if entry not in counts)]:
        old, new = (table.get(entry, {}) for table in (before, counts))
        if old != new:
            print(f"{entry}: {old.get('cycles', 'none')} -> {new.get('cycles', 'none')} cycles")
    cycles.TABLE.write_text(cycles.to_text(counts))
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
