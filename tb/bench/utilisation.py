"""How a run used the machine: one bar a unit with its share of cycles by reason, and the kernel's bound."""

from __future__ import annotations

from fractions import Fraction

from rich.console import Console
from rich.table import Table

from plena_ref.analysis.cycle_bound import bound
from plena_ref.isa.counters import DISPATCH, QUEUE, QUEUES, Counters
from plena_ref.machine.hardware import Hardware
from tb.bench.job import FULL_RATE

#: Characters of a whole bar.
_WIDTH = 24
_MARKS = ("█", "▒", "·")
#: The same for a terminal that shows ASCII only.
_PLAIN_MARKS = ("#", "=", ".")
#: Names of the states in which a unit gets on, and in which it has nothing to do; it waits in the others.
_GETS_ON = ("one", "two", "issue")
_NOTHING = ("empty", "drain")


def _bar(shares: dict[str, float], marks: tuple[str, str, str]) -> str:
    """A bar of `_WIDTH` characters: first the working share, then the waiting one, then the idle one."""
    working = sum(share for name, share in shares.items() if name in _GETS_ON)
    idle = sum(share for name, share in shares.items() if name in _NOTHING)
    first = round(_WIDTH * working)
    last = min(round(_WIDTH * idle), _WIDTH - first)
    return marks[0] * first + marks[1] * (_WIDTH - first - last) + marks[2] * last


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def summary(counters: Counters, cycles: int, hw: Hardware, beats: Fraction = FULL_RATE) -> dict[str, object]:
    """Bound, its resource and the utilisations for `result.json`, as shares of 1; `beats` as for `bound`."""
    least = bound(counters.totals, hw, beats)
    return {
        "bound_cycles": least.cycles,
        "bound_resource": least.resource,
        "utilisation": round(least.utilisation(cycles), 4),
        "array_utilisation": round(counters.totals["macs"] / (hw.blen * hw.mlen * cycles), 4),
    }


def shares_by_reason(counters: Counters, cycles: int) -> dict[str, dict[str, float]]:
    """Of dispatch and of each queue the shares of the cycles by reason."""
    return {
        unit: {
            counter.name: getattr(counters, unit)[counter.name] / cycles
            for counter in (DISPATCH if unit == "dispatch" else QUEUE)
        }
        for unit in ("dispatch", *QUEUES)
    }


def reasons(shares: dict[str, float]) -> str:
    """The shares of a unit from 1% on, the largest first."""
    large = sorted((name for name in shares if shares[name] >= 0.01), key=lambda name: -shares[name])
    return ", ".join(f"{name} {_percent(shares[name])}" for name in large)


def describe_bound(counters: Counters, cycles: int, hw: Hardware, beats: Fraction = FULL_RATE) -> str:
    """The bound of the work, and what of it and of the array was used; `beats` as for `bound`."""
    least = bound(counters.totals, hw, beats)
    macs = counters.totals["macs"] / (hw.blen * hw.mlen * cycles)
    return (
        f"bound {least.cycles} cycles ({least.resource}): utilisation {_percent(least.utilisation(cycles))}; "
        f"multiply-accumulates {_percent(macs)} of the array's peak"
    )


def print_bars(
    console: Console, counters: Counters, cycles: int, hw: Hardware, beats: Fraction = FULL_RATE
) -> None:
    """Print the bars of dispatch and of the four queues, and the utilisation against the kernel's bound."""
    marks = _MARKS if console.encoding.startswith("utf") else _PLAIN_MARKS
    table = Table(
        title=f"cycles by reason ({marks[0]} gets on, {marks[1]} waits, {marks[2]} nothing to do)",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for column in ("unit", "", "busy", "reasons"):
        table.add_column(column, justify="right" if column == "busy" else "left", no_wrap=column != "reasons")
    for unit, shares in shares_by_reason(counters, cycles).items():
        busy = "" if unit == "dispatch" else _percent(counters.totals[f"{unit}_busy"] / cycles)
        table.add_row(unit, _bar(shares, marks), busy, reasons(shares))
    console.print(table)
    console.print(describe_bound(counters, cycles, hw, beats))
