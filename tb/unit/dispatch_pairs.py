"""Pairs of instructions as data: which two dispatch in one cycle, and which do not.

The unit test of the frontend (tb/unit/cocotb_frontend.py) checks the pairing itself, cycle by cycle; the
system test (tb/system/test_dispatch.py) what the pairs do. Both begin with `LEAD`, at any place of a line.
"""

from __future__ import annotations

from dataclasses import dataclass

from plena_ref.isa.assembler import assemble

#: Words of a line of the instruction cache.
LINE_WORDS = 16

#: Registers that every pair may count on, for the machine of the directed tests (MLEN 16, BLEN 4).
LEAD = """
S_ADDI_INT gp1, gp0, 64
S_ADDI_INT gp2, gp0, 128
S_ADDI_INT gp3, gp0, 3
S_ADDI_INT gp4, gp0, 256
S_ADDI_INT gp5, gp0, 5
S_LUI_INT gp6, 1
C_SET_V_MASK_REG gp3
C_SET_SCALE_REG gp6
S_LD_FP f1, gp3, 0
S_LD_FP f2, gp5, 1
"""

#: What stands right in front of a pair. It always dispatches alone, so the first of the pair begins a cycle.
ALONE = "S_LD_INT gp14, gp0, 0\n"


@dataclass(frozen=True)
class DispatchPair:
    """Two neighbours in a program.

    Attributes:
        first, second: assembly text.
        paired: they dispatch in the same cycle (of a pair that a loop repeats: in the last turn).
        before: text in front of `ALONE` and the pair.
        after: text behind the pair.
    """

    first: str
    second: str
    paired: bool
    before: str = ""
    after: str = ""

    @property
    def name(self) -> str:
        """The text of the pair; names of the table are unique."""
        return f"{self.first} | {self.second}"


def place(first: str, second: str, word: int, before: str = "", after: str = "") -> tuple[list[int], int]:
    """Words of a program with a pair whose first instruction is word `word` of a line, and the pc of that."""
    lead = assemble(LEAD)
    front = assemble(before + ALONE)
    padding = assemble("S_ADD_INT gp0, gp0, gp0") * (-(len(lead) + len(front) - word) % LINE_WORDS)
    pair = assemble(f"{first}\n{second}")
    return lead + padding + front + pair + assemble(after), len(lead + padding + front)


_UNIT = "V_ADD_VV gp1, gp2, gp1, 0"
_FLOAT = "S_ADD_FP f3, f1, f2"
_INT = "S_ADDI_INT gp7, gp1, 16"

PAIRS = (
    # A unit and an integer instruction, either first; the unit sees what the integer instruction wrote.
    DispatchPair(_UNIT, _INT, True),
    DispatchPair(_FLOAT, "S_SUB_INT gp7, gp4, gp1", True),
    DispatchPair(_UNIT, "S_ADDI_INT gp1, gp1, 16", True),
    DispatchPair("H_PREFETCH_V gp1, gp0, a0, 0, 0", "C_SET_SCALE_REG gp0", True),
    DispatchPair("M_MM 0, gp4, gp1", "S_ADDI_INT gp4, gp4, 256", True),
    DispatchPair(_INT, _FLOAT, True),
    DispatchPair("S_ADDI_INT gp1, gp1, 16", _UNIT, True),
    DispatchPair("S_ADDI_INT gp2, gp2, 32", "V_ADD_VV gp2, gp1, gp2, 0", True),
    DispatchPair("S_ADD_INT gp8, gp2, gp4", "M_MM_WO gp8, gp0, 4", True),
    DispatchPair("S_SUB_INT gp8, gp4, gp4", "M_TMM 0, gp1, gp8", True),
    DispatchPair("S_LUI_INT gp9, 0", "S_LD_FP f4, gp9, 7", True),
    DispatchPair("S_ADDI_INT gp9, gp5, 7", "S_ST_FP f1, gp9, 1", True),
    DispatchPair("S_ADDI_INT gp9, gp0, 16", "S_MAP_V_FP gp1, gp9, 3", True),
    DispatchPair("S_ADDI_INT gp9, gp0, 64", "H_STORE_V gp1, gp9, a0, 0, 0", True),
    DispatchPair("S_ADDI_INT gp9, gp0, 3", "V_SHFT_V gp1, gp2, gp9", True),
    DispatchPair("S_ADDI_INT gp8, gp0, 8", "M_BMM gp8, gp4, gp1", True),
    DispatchPair("S_ADDI_INT gp9, gp0, 30", "V_TOPK gp9, gp1, gp9, 0", True),
    DispatchPair("S_ADDI_INT gp0, gp1, 16", "V_EXP_V gp1, gp0", True),
    # Two integer instructions, apart or one behind the other; the second write stays.
    DispatchPair(_INT, "S_SUB_INT gp8, gp4, gp2", True),
    DispatchPair("S_LUI_INT gp7, 9", "S_ADDI_INT gp7, gp7, 77", True),
    DispatchPair(_INT, "S_ADD_INT gp8, gp7, gp7", True),
    DispatchPair(_INT, "S_MUL_INT gp8, gp4, gp7", True),
    DispatchPair("S_ADDI_INT gp7, gp7, 1", "S_ADDI_INT gp7, gp0, 40", True),
    DispatchPair("S_ADDI_INT gp0, gp1, 1", "S_ADD_INT gp7, gp0, gp5", True),
    DispatchPair("S_MUL_INT gp7, gp4, gp2", "S_ADDI_INT gp8, gp1, 1", True),
    DispatchPair("S_MUL_INT gp7, gp4, gp2", "S_ADDI_INT gp8, gp7, 1", False),
    # INT_MEM: a store goes like a unit's instruction; a load goes alone.
    DispatchPair("S_ADDI_INT gp7, gp7, 5", "S_ST_INT gp7, gp7, 20", True),
    DispatchPair("S_ST_INT gp4, gp0, 21", "S_ADDI_INT gp4, gp4, 1", True),
    DispatchPair("S_ST_INT gp4, gp0, 22", _FLOAT, False),
    DispatchPair("S_ST_INT gp4, gp0, 22", "S_LD_INT gp8, gp0, 22", False),
    DispatchPair("V_TOPK gp0, gp1, gp5, 0", "S_ST_INT gp4, gp0, 6", False),
    DispatchPair("S_LD_INT gp7, gp0, 23", "S_ADDI_INT gp8, gp4, 1", False),
    DispatchPair("S_LD_INT gp7, gp0, 23", _FLOAT, False),
    DispatchPair(_INT, "S_LD_INT gp8, gp0, 24", False),
    # Control registers: they see what the first wrote; no unit's instruction goes behind one.
    DispatchPair("C_SET_STRIDE_REG gp4", _INT, True),
    DispatchPair("S_ADDI_INT gp7, gp4, 8", "C_SET_STRIDE_REG gp7", True),
    DispatchPair("S_ADDI_INT gp7, gp7, 8", "C_SET_ADDR_REG a3, gp0, gp7", True),
    DispatchPair("S_ADDI_INT gp7, gp4, 8", "C_SET_ADDR_REG a3, gp7, gp4", True),
    DispatchPair("C_SET_ADDR_REG a3, gp0, gp4", "C_SET_ADDR_REG a3, gp4, gp0", True),
    DispatchPair("C_SET_ADDR_REG a3, gp0, gp4", "C_SET_SCALE_REG gp5", True),
    DispatchPair("C_SET_SCALE_REG gp5", "C_SET_SCALE_REG gp6", True),
    DispatchPair("C_SET_V_MASK_REG gp5", "C_SET_V_MASK_REG gp3", True),
    DispatchPair(_UNIT, "C_SET_V_MASK_REG gp5", True),
    DispatchPair("C_SET_V_MASK_REG gp5", "V_ADD_VV gp1, gp2, gp1, 1", False),
    DispatchPair("C_SET_ADDR_REG a0, gp0, gp1", "H_PREFETCH_V gp1, gp0, a0, 0, 0", False),
    DispatchPair("C_SET_SCALE_REG gp1", _FLOAT, False),
    # At most one for a unit.
    DispatchPair(_UNIT, _FLOAT, False),
    DispatchPair(_FLOAT, "S_MUL_FP f4, f1, f1", False),
    DispatchPair("M_MM 0, gp4, gp1", "M_MM_WO gp2, gp0, 0", False),
    DispatchPair("H_PREFETCH_M gp4, gp0, a0, 0, 0", _UNIT, False),
    # Loops: at most one of the two; behind a jump nothing goes.
    DispatchPair("C_LOOP_START gp8, 2", "S_ADD_INT gp7, gp7, gp8", True, after="C_LOOP_END gp8"),
    DispatchPair(
        "C_LOOP_START gp8, 2", "V_EXP_V gp1, gp2", True, after="S_ADDI_INT gp1, gp1, 16\nC_LOOP_END gp8"
    ),
    DispatchPair("C_LOOP_START gp8, 3", "S_ST_INT gp8, gp8, 30", True, after="C_LOOP_END gp8"),
    DispatchPair(_INT, "C_LOOP_START gp7, 2", True, after="S_ADDI_INT gp9, gp9, 1\nC_LOOP_END gp7"),
    DispatchPair(_UNIT, "C_LOOP_START gp8, 2", True, after="S_ADDI_INT gp9, gp9, 1\nC_LOOP_END gp8"),
    DispatchPair(_INT, "C_LOOP_END gp8", True, before="C_LOOP_START gp8, 3\nS_ADDI_INT gp9, gp9, 1\n"),
    DispatchPair(
        "S_SUB_INT gp8, gp8, gp7", "C_LOOP_END gp8", True, "S_ADDI_INT gp7, gp0, 1\nC_LOOP_START gp8, 7\n"
    ),
    DispatchPair(_FLOAT, "C_LOOP_END gp8", True, before="C_LOOP_START gp8, 3\nS_ADDI_INT gp9, gp9, 1\n"),
    DispatchPair("C_LOOP_END gp8", "S_ADDI_INT gp9, gp8, 1", True, before="C_LOOP_START gp8, 1\n"),
    DispatchPair("C_LOOP_END gp8", "S_ST_INT gp8, gp0, 31", True, before="C_LOOP_START gp8, 1\n"),
    DispatchPair("C_LOOP_END gp8", _UNIT, True, before="C_LOOP_START gp8, 1\n"),
    DispatchPair("C_LOOP_END gp8", "S_ADDI_INT gp9, gp9, 1", True, before="C_LOOP_START gp8, 3\n"),
    DispatchPair("C_LOOP_START gp8, 2", "C_LOOP_START gp9, 2", False, after="C_LOOP_END gp9\nC_LOOP_END gp8"),
    DispatchPair("C_LOOP_START gp8, 2", "C_LOOP_END gp8", False, after="S_ADDI_INT gp9, gp9, 1"),
    DispatchPair("C_LOOP_END gp9", "C_LOOP_END gp8", False, "C_LOOP_START gp8, 2\nC_LOOP_START gp9, 1\n"),
    # The end of the program.
    DispatchPair(_INT, "C_BREAK", False, after="S_ADDI_INT gp9, gp9, 1"),
    DispatchPair(_FLOAT, "C_BREAK", False, after="S_ADDI_INT gp9, gp9, 1"),
    DispatchPair("C_BREAK", _INT, False, after="S_ADDI_INT gp9, gp9, 1"),
)
