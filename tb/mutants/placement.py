"""The permanent faults of tiling, layout and placement: chosen from the generated ones, and two by hand.

placement.txt holds the choice, one per line: what becomes of the fault, and its name. `caught`: the verdict
of a cell fails. `refused`: no program can be made, so that the sweep ends with cells that could not be run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tb.engine.paths import REPO
from tb.mutants.generated import PLACEMENT_FILES, GeneratedMutant, generate
from tb.mutants.table import Mutant

DATA_FILES = ("tb/mutants/placement.txt", "plena_ref/kernels/**/*.py")

#: Functions that have no permanent fault, with the reason.
NOT_REACHED = {
    "operands.AttentionOperands.has_idle_groups": "columns cleared without need change no result",
    "batched.remap_rows": "offered to decoders; no kernel uses it",
    "hbm.hbm_alignment": "sizes of K and V keep the alignment whatever it is",
    "allocators.HbmAllocator._base": "sizes of K and V keep the alignment whatever it is",
}


@dataclass(frozen=True)
class PlacementMutant(Mutant):
    """A fault that is tried on the programs of the quick cells; `case` and `reason` say so.

    Attributes:
        fault: where it is.
        refused: no program can be made with it.
    """

    fault: GeneratedMutant | None = None
    refused: bool = False


def _mutant(fault: GeneratedMutant, refused: bool = False, history: str = "") -> PlacementMutant:
    text = (REPO / fault.file).read_text()
    return PlacementMutant(
        name=fault.name,
        file=fault.file,
        old=text[fault.start : fault.stop],
        new=fault.new,
        case="quick_cells",
        reason="could not run" if refused else "",
        history=history,
        fault=fault,
        refused=refused,
    )


def _by_hand(name: str, function: str, old: str, new: str) -> PlacementMutant:
    file = PLACEMENT_FILES[0]
    start = (REPO / file).read_text().index(old)
    fault = GeneratedMutant(name, file, function, start, start + len(old), new)
    return _mutant(fault, history="passed by the sweep whose prediction used the kernel's own tiling")


def _chosen() -> tuple[PlacementMutant, ...]:
    lines = Path(__file__).with_name("placement.txt").read_text().splitlines()
    wanted = {line[8:]: line[:8].strip() for line in lines}
    return tuple(
        _mutant(fault, wanted[fault.name] == "refused") for fault in generate() if fault.name in wanted
    )


#: Every one; the two that a sweep has let pass come first.
PLACEMENT: tuple[PlacementMutant, ...] = (
    _by_hand(
        "causal diagonal one too far right",
        "diagonal_shift",
        "shift = first_query - first_key",
        "shift = first_query - first_key + 1",
    ),
    _by_hand(
        "last key tile of a query tile dropped",
        "query_tiles",
        "present = range(begin // mlen, -(-end // mlen))",
        "present = range(begin // mlen, max(begin // mlen + 1, -(-end // mlen) - 1))",
    ),
    *_chosen(),
)
