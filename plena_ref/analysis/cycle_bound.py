"""The fewest cycles that the work of a program can take, from the counters of its run."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from plena_ref.machine.hardware import Hardware

#: The units whose instructions are addressed: one of them is dispatched a cycle.
UNITS = ("matrix", "vector", "float", "hbm")


@dataclass(frozen=True)
class Bound:
    """The fewest cycles a program can take on its machine, and the resource that says so."""

    cycles: int
    resource: str

    def utilisation(self, cycles: int) -> float:
        """Share of a run's `cycles` that the bound accounts for."""
        return self.cycles / cycles


def bound(totals: dict[str, int], hw: Hardware, beats: Fraction | int = 1) -> Bound:
    """The kernel's bound from the work it did: the resource that needs the most cycles.

    Multiply-accumulates over BLEN*MLEN a cycle, vector rows, beats of the busier direction of the HBM bus,
    instructions over the dispatch width, and instructions of units, of which one is dispatched a cycle; each
    rounded up.

    Args:
        totals: the counters of group "totals".
        hw: machine shape.
        beats: beats a cycle that the memory moves in each direction, at most.
    """
    instructions = sum(value for name, value in totals.items() if name.endswith("_instructions"))
    needs = {
        "matrix work": -(-totals["macs"] // (hw.blen * hw.mlen)),
        "vector rows": totals["vector_rows"],
        "DMA beats": ceil(max(totals["read_beats"], totals["write_beats"]) / Fraction(beats)),
        "instructions": -(-instructions // hw.dispatch_width),
        "unit instructions": sum(totals[f"{unit}_instructions"] for unit in UNITS),
    }
    resource = max(needs, key=lambda name: needs[name])
    return Bound(needs[resource], resource)
