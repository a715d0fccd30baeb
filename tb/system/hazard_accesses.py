"""Accesses that can conflict, as data: each reads or writes one place through one unit, early or late.

tb/system/test_hazards.py makes a program of every ordered pair of them that conflicts.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

_SLOW_ROWS = "H_PREFETCH_V gp3, gp7, a0, 0, 0"
_SLOW_TILE = "H_PREFETCH_M gp11, gp7, a0, 0, 0"
_SLOW_F = f"{_SLOW_ROWS}\nV_RED_SUM f3, gp3"


@dataclass(frozen=True)
class Access:
    """One instruction that touches the contested place, in two forms.

    Attributes:
        name: for the test's report.
        unit: the unit whose access it is.
        place: the places: "row" R, "inner" row R+2, "tile", "f", "fp_mem", "int_mem", "hbm", "registers".
        kind: "r" or "w"; "rw" counts as both.
        late: text for the first instruction of a pair; its operands come late.
        prompt: text for the second one; could execute at once.
    """

    name: str
    unit: str
    place: str
    kind: str
    late: str
    prompt: str


def _access(name: str, entry: dict[str, str]) -> Access:
    """An access of hazard_accesses.toml; `slow` names what makes its operands late."""
    lead = {"rows": _SLOW_ROWS, "tile": _SLOW_TILE, "f": _SLOW_F}
    late = "\n".join([*([lead[entry["slow"]]] if "slow" in entry else []), entry["late"]])
    return Access(name, entry["unit"], entry["place"], entry["kind"], late, entry["prompt"])


_ENTRIES = tomllib.loads(Path(__file__).with_name("hazard_accesses.toml").read_text())
ACCESSES = tuple(_access(name, entry) for name, entry in _ENTRIES.items())

#: Pairs of units that share no place: their order shows through a third unit. Text by (first, second).
CHAINS = {
    ("matrix", "float"): f"{_SLOW_TILE}\nM_MM 0, gp11, gp4\nM_MM_WO gp1, gp0, 4\nV_RED_SUM f1, gp1\n"
    "S_EXP_FP f2, f1\nS_ST_FP f2, gp15, 8",
    ("float", "matrix"): f"{_SLOW_F}\nS_ST_FP f3, gp9, 9\nS_MAP_V_FP gp1, gp9, 0\nM_MM 0, gp2, gp1\n"
    "M_MM_WO gp5, gp0, 0\nS_ST_FP f4, gp9, 9\nS_MAP_V_FP gp1, gp9, 0",
    ("HBM", "float"): "H_PREFETCH_V gp1, gp8, a0, 0, 0\nV_RED_MAX f1, gp13\nS_MUL_FP f2, f1, f4\n"
    "S_ST_FP f2, gp15, 8\nH_PREFETCH_V gp1, gp14, a0, 0, 0\nV_RED_SUM f2, gp1\nS_SQRT_FP f1, f2",
    ("float", "HBM"): f"{_SLOW_F}\nS_RECI_FP f1, f3\nS_ST_FP f1, gp9, 9\nS_MAP_V_FP gp1, gp9, 0\n"
    "H_STORE_V gp1, gp8, a0, 0, 0\nH_PREFETCH_V gp6, gp8, a0, 0, 0",
}

UNITS = ("matrix", "vector", "float", "HBM", "integer")


def conflicts(first: Access, second: Access) -> bool:
    """True when the two touch one place and at least one of them writes it."""
    return bool(set(first.place.split()) & set(second.place.split())) and "w" in first.kind + second.kind
