"""Pairs of instructions, read from dispatch_pairs.toml: which two dispatch in one cycle, and which do not.

The unit test of the frontend (tb/unit/cocotb_frontend.py) checks the pairing itself, cycle by cycle; the
system test (tb/system/test_dispatch.py) what the pairs do. Both begin with `LEAD`, at any place of a line.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

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


def _read() -> tuple[DispatchPair, ...]:
    rows = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["pairs"]
    return tuple(
        DispatchPair(*row[:3], **{key: text for more in row[3:] for key, text in more.items()})
        for row in rows
    )


#: Every pair of dispatch_pairs.toml.
PAIRS = _read()
