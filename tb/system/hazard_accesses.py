"""Accesses that can conflict, as data: each reads or writes one place through one unit, early or late.

tb/system/test_hazards.py makes a program of every ordered pair of them that conflicts.
"""

from __future__ import annotations

from dataclasses import dataclass

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


# gp1 row R, gp13 row R+2, gp3 four late rows, gp4 four ready rows, gp5 and gp6 rows that receive the first
# and the second result; gp2 contested tile, gp11 the other tile; gp9 FP_MEM (contested word at +9), gp15
# FP_MEM for results; gp10 INT_MEM; gp7 HBM bytes of the late data, gp8 contested HBM bytes, gp14 other HBM
# bytes; f1 contested.
ACCESSES = (
    Access(
        "M_MM row",
        "matrix",
        "row inner",
        "r",
        f"{_SLOW_TILE}\nM_MM 0, gp11, gp1\nM_MM_WO gp5, gp0, 0",
        "M_MM 0, gp11, gp1\nM_MM_WO gp6, gp0, 0",
    ),
    Access(
        "M_MM_WO",
        "matrix",
        "row inner",
        "w",
        f"{_SLOW_TILE}\nM_MM 0, gp11, gp4\nM_MM_WO gp1, gp0, 4",
        "M_MM 0, gp11, gp4\nM_MM_WO gp1, gp0, 8",
    ),
    Access(
        "V source a",
        "vector",
        "row",
        "r",
        f"{_SLOW_ROWS}\nV_ADD_VV gp5, gp1, gp3",
        "V_ADD_VV gp6, gp1, gp4",
    ),
    Access(
        "V source b",
        "vector",
        "inner",
        "r",
        f"{_SLOW_ROWS}\nV_SUB_VV gp5, gp3, gp13",
        "V_SUB_VV gp6, gp4, gp13",
    ),
    Access(
        "V destination",
        "vector",
        "row",
        "w",
        f"{_SLOW_ROWS}\nV_ADD_VV gp1, gp3, gp4",
        "V_EXP_V gp1, gp4",
    ),
    Access(
        "V inner destination",
        "vector",
        "inner",
        "w",
        f"{_SLOW_ROWS}\nV_MUL_VV gp13, gp4, gp3",
        "V_RECI_V gp13, gp4",
    ),
    Access(
        "S_MAP_V_FP row",
        "vector",
        "row",
        "w",
        f"{_SLOW_ROWS}\nV_ADD_VV gp5, gp3, gp4\nS_MAP_V_FP gp1, gp9, 0",
        "S_MAP_V_FP gp1, gp9, 1",
    ),
    Access(
        "H_STORE_V rows",
        "HBM",
        "row inner",
        "r",
        f"{_SLOW_ROWS}\nH_STORE_V gp1, gp14, a0, 0, 0",
        "H_STORE_V gp1, gp14, a0, 0, 0",
    ),
    Access(
        "H_PREFETCH_V rows",
        "HBM",
        "row inner",
        "w",
        f"{_SLOW_ROWS}\nH_PREFETCH_V gp1, gp8, a0, 0, 0",
        "H_PREFETCH_V gp1, gp8, a0, 0, 0",
    ),
    Access(
        "M_MM tile",
        "matrix",
        "tile",
        "r",
        f"{_SLOW_ROWS}\nM_MM 0, gp2, gp3\nM_MM_WO gp5, gp0, 0",
        "M_MM 0, gp2, gp4\nM_MM_WO gp6, gp0, 0",
    ),
    Access(
        "M_TMM tile",
        "matrix",
        "tile",
        "r",
        f"{_SLOW_ROWS}\nM_TMM 0, gp3, gp2\nM_MM_WO gp5, gp0, 12",
        "M_TMM 0, gp4, gp2\nM_MM_WO gp6, gp0, 12",
    ),
    Access(
        "H_PREFETCH_M tile",
        "HBM",
        "tile",
        "w",
        f"{_SLOW_ROWS}\nH_PREFETCH_M gp2, gp8, a0, 0, 0",
        "H_PREFETCH_M gp2, gp14, a0, 0, 0",
    ),
    Access("VF reads f", "vector", "f", "r", f"{_SLOW_ROWS}\nV_MUL_VF gp5, gp3, f1", "V_MUL_VF gp6, gp4, f1"),
    Access("V_RED_SUM", "vector", "f", "rw", f"{_SLOW_ROWS}\nV_RED_SUM f1, gp3", "V_RED_SUM f1, gp4"),
    Access("V_RED_MAX", "vector", "f", "rw", f"{_SLOW_ROWS}\nV_RED_MAX f1, gp3", "V_RED_MAX f1, gp4"),
    Access("S_SUB_FP reads f", "float", "f", "r", f"{_SLOW_F}\nS_SUB_FP f2, f1, f3", "S_SUB_FP f5, f1, f4"),
    Access(
        "S_ST_FP reads f",
        "float",
        "f",
        "r",
        f"{_SLOW_F}\nS_ST_FP f3, gp15, 8\nS_ST_FP f1, gp15, 8",
        "S_ST_FP f1, gp15, 9",
    ),
    Access("S_ADD_FP", "float", "f", "w", f"{_SLOW_F}\nS_ADD_FP f1, f3, f4", "S_ADD_FP f1, f4, f4"),
    Access("S_EXP_FP", "float", "f", "w", f"{_SLOW_F}\nS_EXP_FP f1, f3", "S_EXP_FP f1, f4"),
    Access(
        "S_LD_FP f",
        "float",
        "f",
        "w",
        f"{_SLOW_F}\nS_ST_FP f3, gp9, 2\nS_LD_FP f1, gp9, 2",
        "S_LD_FP f1, gp9, 1",
    ),
    Access("S_LD_FP word", "float", "fp_mem", "r", f"{_SLOW_F}\nS_LD_FP f3, gp9, 9", "S_LD_FP f5, gp9, 9"),
    Access(
        "S_MAP_V_FP words",
        "vector",
        "fp_mem",
        "r",
        f"{_SLOW_ROWS}\nV_ADD_VV gp5, gp3, gp4\nS_MAP_V_FP gp5, gp9, 0",
        "S_MAP_V_FP gp6, gp9, 0",
    ),
    Access(
        "V_TOPK logits",
        "vector",
        "row inner",
        "r",
        f"{_SLOW_ROWS}\nV_ADD_VV gp5, gp3, gp4\nV_TOPK gp15, gp1, gp0, 1",
        "V_TOPK gp15, gp1, gp0, 1",
    ),
    Access(
        "V_TOPK weights",
        "vector",
        "fp_mem",
        "w",
        f"{_SLOW_ROWS}\nS_ADDI_INT gp12, gp9, 8\nV_TOPK gp12, gp3, gp0, 0",
        "S_ADDI_INT gp12, gp9, 7\nV_TOPK gp12, gp4, gp0, 0",
    ),
    Access(
        "V_TOPK indices",
        "vector",
        "int_mem",
        "w",
        f"{_SLOW_ROWS}\nV_TOPK gp15, gp3, gp10, 0",
        "V_TOPK gp15, gp4, gp10, 0",
    ),
    Access("S_ST_FP word", "float", "fp_mem", "w", f"{_SLOW_F}\nS_ST_FP f3, gp9, 9", "S_ST_FP f4, gp9, 9"),
    Access("S_LD_INT", "integer", "int_mem", "r", "S_LD_INT gp12, gp10, 0", "S_LD_INT gp12, gp10, 0"),
    Access("S_ST_INT", "integer", "int_mem", "w", "S_ST_INT gp10, gp10, 0", "S_ST_INT gp8, gp10, 0"),
    Access(
        "H_PREFETCH_V bytes",
        "HBM",
        "hbm",
        "r",
        f"{_SLOW_ROWS}\nH_PREFETCH_V gp5, gp8, a0, 0, 0",
        "H_PREFETCH_V gp6, gp8, a0, 0, 0",
    ),
    Access(
        "H_PREFETCH_V half of the bytes",
        "HBM",
        "hbm",
        "r",
        f"{_SLOW_ROWS}\nH_PREFETCH_V gp5, gp8, a1, 0, 0",
        "H_PREFETCH_V gp6, gp8, a1, 0, 0",
    ),
    Access(
        "H_PREFETCH_M bytes",
        "HBM",
        "hbm",
        "r",
        f"{_SLOW_ROWS}\nH_PREFETCH_M gp2, gp8, a0, 0, 0",
        "H_PREFETCH_M gp2, gp8, a0, 0, 0",
    ),
    Access(
        "H_STORE_V bytes",
        "HBM",
        "hbm",
        "w",
        f"{_SLOW_ROWS}\nH_STORE_V gp3, gp8, a0, 0, 0",
        "H_STORE_V gp4, gp8, a0, 0, 0",
    ),
    Access(
        "matrix operands",
        "matrix",
        "registers",
        "r",
        f"{_SLOW_TILE}\nM_MM 0, gp11, gp1\nM_MM_WO gp5, gp12, 0",
        "M_TMM 0, gp1, gp11\nM_MM_WO gp6, gp12, 0",
    ),
    Access(
        "vector operands",
        "vector",
        "registers",
        "r",
        f"{_SLOW_ROWS}\nV_ADD_VV gp5, gp3, gp1, 1\nV_SHFT_V gp1, gp3, gp12\nV_RED_SUM f1, gp4, 1",
        "V_SUB_VV gp6, gp4, gp1, 1\nV_SHFT_V gp13, gp4, gp12\nV_RED_MAX f1, gp4, 1",
    ),
    Access(
        "float operands",
        "float",
        "registers",
        "r",
        f"{_SLOW_F}\nS_ST_FP f3, gp9, 9\nS_LD_FP f1, gp9, 9",
        "S_ST_FP f4, gp9, 9\nS_LD_FP f1, gp9, 9",
    ),
    Access(
        "HBM operands",
        "HBM",
        "registers",
        "r",
        f"{_SLOW_ROWS}\nH_STORE_V gp3, gp8, a0, 1, 0\nH_PREFETCH_V gp5, gp8, a0, 1, 0",
        "H_STORE_V gp4, gp8, a0, 1, 0\nH_PREFETCH_V gp6, gp8, a0, 1, 0",
    ),
    Access(
        "integer operands",
        "integer",
        "registers",
        "r",
        "S_MUL_INT gp12, gp12, gp1\nS_SUB_INT gp12, gp12, gp9\nS_ST_INT gp12, gp10, 0",
        "C_LOOP_START gp5, 3\nS_ADD_INT gp12, gp12, gp1\nC_LOOP_END gp5\nS_ST_INT gp12, gp10, 0",
    ),
    Access(
        "new registers",
        "integer",
        "registers",
        "w",
        *["""S_ADDI_INT gp1, gp1, 16
             S_ADDI_INT gp13, gp13, 16
             S_ADDI_INT gp4, gp4, 16
             S_ADDI_INT gp8, gp8, 64
             S_ADDI_INT gp9, gp9, 1
             S_ADDI_INT gp12, gp12, 1
             C_SET_V_MASK_REG gp12
             C_SET_SCALE_REG gp14
             C_SET_STRIDE_REG gp8
             C_SET_ADDR_REG a0, gp0, gp7"""] * 2,
    ),
)  # fmt: skip

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
