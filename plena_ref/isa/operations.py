"""The operation codes of the units: what dispatch sends a unit instead of the opcode.

Several instructions may be one operation of their unit (V_ADD_VV and V_ADD_VF are ADD), and one instruction
may be two, by a flag (V_SUB_VF is SUB or RSUB). `rtl/plena_pkg.sv` has a constant for each:
`plena_pkg::V_OP_ADD`. Instructions of the units INT and CTRL are executed at dispatch, by their opcode.
"""

from __future__ import annotations

from plena_ref.isa.encoding import Unit

#: Bits of a matrix operation code; the upper two name the accumulators m, v, hm, hv.
M_TRANSPOSED, M_WRITE_OUT, M_ONE_ROW, M_PER_HEAD = range(4)


def _matrix(*bits: int) -> int:
    return sum(1 << bit for bit in bits)


#: Operation codes of each unit by name.
OPERATIONS: dict[Unit, dict[str, int]] = {
    Unit.M: {
        "MM": _matrix(),
        "TMM": _matrix(M_TRANSPOSED),
        "MM_WO": _matrix(M_WRITE_OUT),
        "MV": _matrix(M_ONE_ROW),
        "TMV": _matrix(M_ONE_ROW, M_TRANSPOSED),
        "MV_WO": _matrix(M_ONE_ROW, M_WRITE_OUT),
        "BMM": _matrix(M_PER_HEAD),
        "BTMM": _matrix(M_PER_HEAD, M_TRANSPOSED),
        "BMM_WO": _matrix(M_PER_HEAD, M_WRITE_OUT),
        "BMV": _matrix(M_PER_HEAD, M_ONE_ROW),
        "BTMV": _matrix(M_PER_HEAD, M_ONE_ROW, M_TRANSPOSED),
        "BMV_WO": _matrix(M_PER_HEAD, M_ONE_ROW, M_WRITE_OUT),
    },
    Unit.V: {
        "ADD": 0,
        "SUB": 1,
        "MUL": 2,
        "RSUB": 3,
        "MAX": 4,
        "MIN": 5,
        "EXP": 6,
        "RECI": 7,
        "SHFT": 8,
        "MAP": 9,
        "RED_SUM": 10,
        "RED_MAX": 11,
        "TOPK_4": 12,
        "TOPK_8": 13,
    },
    Unit.F: {
        "ADD": 0,
        "SUB": 1,
        "MAX": 2,
        "MUL": 3,
        "EXP": 4,
        "RECI": 5,
        "SQRT": 6,
        "LD": 7,
        "ST": 8,
    },
    Unit.H: {
        "PREFETCH_M": 0,
        "PREFETCH_V": 1,
        "STORE_V": 2,
    },
}


def code_bits() -> int:
    """Bits of an operation code: enough for every code and for one of all ones, which no unit has."""
    return (max(code for codes in OPERATIONS.values() for code in codes.values()) + 1).bit_length()


def no_operation() -> int:
    """The code of all ones: no unit has an operation of that code."""
    return (1 << code_bits()) - 1


for _unit, _codes in OPERATIONS.items():
    if len(set(_codes.values())) != len(_codes):
        raise ValueError(f"plena_ref/isa/operations.py: two operations of unit {_unit.name} have one code")
