"""The performance counters as one table: what each counts, and where a host reads it.

`rtl/plena_pkg.sv` (codes, numbers), `csr.py` (registers) and the list in `docs/registers.md` are made from
this table; `docs/counters.md` explains how to read them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Counter:
    """One 64-bit counter: its name in lower case, and what it counts."""

    name: str
    meaning: str


@dataclass(frozen=True)
class Group:
    """Counters that follow one another in the register map.

    Attributes:
        name: lower case.
        offset: byte offset of the first counter's low word; counters are 8 bytes apart.
        meaning: one line.
        counters: in order of their numbers.
    """

    name: str
    offset: int
    meaning: str
    counters: tuple[Counter, ...]

    @property
    def names(self) -> list[str]:
        """Names of the counters in order."""
        return [counter.name for counter in self.counters]


#: What dispatch does in a cycle: exactly one of these from start to stop.
DISPATCH = (
    Counter("one", "one instruction retires"),
    Counter("two", "two instructions retire"),
    Counter("fetch", "the instruction word is not there"),
    Counter("matrix_full", "no free slot in the matrix queue"),
    Counter("vector_full", "no free slot in the vector queue"),
    Counter("float_full", "no free slot in the float queue"),
    Counter("hbm_full", "no free slot in the HBM queue"),
    Counter("int_mem", "S_LD_INT reads INT_MEM, or an access waits for INT_MEM"),
    Counter("drain", "the end or a trap was met; everything that was issued completes"),
)

#: What the head of a queue does in a cycle: exactly one of these from start to stop. The head is the oldest
#: instruction that has not issued. Of several hazards the first in this list is the reason.
QUEUE = (
    Counter("empty", "no instruction waits (HBM: and none is under way)"),
    Counter("issue", "an instruction issues or gets on (matrix: an operand pair read; HBM: something moves)"),
    Counter("f", "waits for an f register"),
    Counter("row", "waits for VRAM rows"),
    Counter("tile", "waits for an MSRAM tile"),
    Counter("fp_mem", "waits for FP_MEM words"),
    Counter("order", "HBM: waits for older transfers, because loads and stores keep their order"),
    Counter("bank", "a port is withheld: a VRAM bank, or (float) FP_MEM's scalar port"),
    Counter("bus", "HBM: data, answers or channels of the bus are awaited"),
    Counter("busy", "the unit itself is not free"),
)

#: Sums over the run.
TOTALS = (
    Counter("integer_instructions", "integer instructions retired"),
    Counter("control_instructions", "control instructions retired"),
    Counter("matrix_instructions", "matrix instructions retired"),
    Counter("vector_instructions", "vector instructions retired"),
    Counter("float_instructions", "float instructions retired"),
    Counter("hbm_instructions", "HBM instructions retired"),
    Counter("matrix_busy", "cycles in which a product is in the array"),
    Counter("vector_busy", "cycles in which a vector instruction issues or is under way"),
    Counter("float_busy", "cycles in which a float instruction issues or is under way"),
    Counter("hbm_busy", "cycles in which a transfer is under way or waits to begin"),
    Counter("macs", "useful multiply-accumulates: those of docs/isa.md, without padding or idle PEs"),
    Counter("vector_rows", "rows that the vector unit worked on"),
    Counter("read_beats", "64-byte beats of data read from HBM, instruction lines not counted"),
    Counter("write_beats", "64-byte beats written to HBM"),
    Counter("fetch_lines", "64-byte instruction lines read from HBM"),
    Counter("matrix_write_refused", "cycles in which VRAM withholds a write of the matrix unit"),
    Counter("vector_write_refused", "cycles in which VRAM withholds a write of the vector unit"),
    Counter("hbm_write_refused", "cycles in which VRAM withholds a write of the HBM unit"),
)

QUEUES = ("matrix", "vector", "float", "hbm")

#: Every group by name, in address order.
GROUPS: dict[str, Group] = {
    group.name: group
    for group in (
        Group("dispatch", 0x200, "Cycles of dispatch by what it did.", DISPATCH),
        *(
            Group(name, 0x280 + 0x80 * number, f"Cycles of the {name} queue's head by what it did.", QUEUE)
            for number, name in enumerate(QUEUES)
        ),
        Group("totals", 0x500, "Sums.", TOTALS),
    )
}


@dataclass(frozen=True)
class Counters:
    """The counters of a run, each group as a mapping from name to value."""

    dispatch: dict[str, int]
    matrix: dict[str, int]
    vector: dict[str, int]
    float: dict[str, int]
    hbm: dict[str, int]
    totals: dict[str, int]

    @classmethod
    def read(cls, counter: Callable[[int], int]) -> Counters:
        """Collect all counters; `counter` gives the 64-bit value at a byte offset."""
        return cls(
            **{
                group.name: {name: counter(group.offset + 8 * n) for n, name in enumerate(group.names)}
                for group in GROUPS.values()
            }
        )

    def to_json(self) -> dict[str, dict[str, int]]:
        """The counters for `result.json` and `stats.json`."""
        return asdict(self)
