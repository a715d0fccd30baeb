"""The control registers on the AXI4-Lite port, as one table.

`rtl/plena_pkg.sv` (offsets, field positions) and `docs/registers.md` are generated from `REGISTERS`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from plena_ref.isa import counters

ID_VALUE = 0x504C_4E41
VERSION_VALUE = 2
DRAIN_LIMIT_RESET = 65_536
ADDRESS_BITS = 12
DATA_BITS = 32


class Access(Enum):
    """What a host may do with a register; the value is its name in the documentation."""

    RO = "read only"
    RW = "read and write"
    WO = "write only, reads 0"
    W1C = "read; write 1 to clear"


@dataclass(frozen=True)
class BitField:
    """A part of a control register: `width` bits from bit `lsb`."""

    name: str
    lsb: int
    width: int
    meaning: str


@dataclass(frozen=True)
class Register:
    """One 32-bit control register, or a row of `count` equal ones `step` bytes apart.

    Attributes:
        name: upper case; `CSR_<name>` in the RTL.
        offset: byte offset of the (first) register.
        access: what the host may do.
        meaning: one line.
        reset: value after reset; None when it depends on the machine's parameters.
        fields: named parts; empty when the whole word is one value.
        count: number of registers.
        step: bytes between them.
    """

    name: str
    offset: int
    access: Access
    meaning: str
    reset: int | None = 0
    fields: tuple[BitField, ...] = field(default=())
    count: int = 1
    step: int = 4

    def address(self, index: int = 0) -> int:
        """Byte offset of register number `index`.

        Raises:
            IndexError: `index` is outside 0..count-1.
        """
        if not 0 <= index < self.count:
            raise IndexError(f"{self.name}[{index}]: there are {self.count}")
        return self.offset + index * self.step


_EVENTS = (
    BitField("STOPPED", 0, 1, "a program came to a normal stop"),
    BitField("TRAPPED", 1, 1, "a program trapped"),
)

_TABLE: tuple[Register, ...] = (
    Register("ID", 0x000, Access.RO, "Identification, the letters PLNA.", ID_VALUE),
    Register("VERSION", 0x004, Access.RO, "Version of this register map.", VERSION_VALUE),
    Register(
        "CONFIG0",
        0x008,
        Access.RO,
        "Machine shape.",
        None,
        (
            BitField("LOG2_MLEN", 0, 4, "log2(MLEN)"),
            BitField("LOG2_BLEN", 4, 4, "log2(BLEN)"),
            BitField("LOG2_HLEN", 8, 4, "log2(HLEN)"),
            BitField("LOG2_MX_BLOCK", 12, 4, "log2(MX_BLOCK)"),
            BitField("LOOP_DEPTH", 16, 8, "hardware loops that may be open at a time"),
            BitField("ELEMENT", 24, 4, 'element format of HBM: 0 ocp, 1 plena (isa.md, "Numbers")'),
            BitField("HBM_BF16", 28, 4, "rows that are bf16 in HBM, from bit 28 on: M 0, M 1, V 0, V 1"),
        ),
    ),
    Register(
        "CONFIG1",
        0x00C,
        Access.RO,
        "Rows of an HBM vector transfer.",
        None,
        (
            BitField("VPREF", 0, 16, "VRAM rows of an H_PREFETCH_V"),
            BitField("VSTORE", 16, 16, "VRAM rows of an H_STORE_V"),
        ),
    ),
    Register("VRAM_ELEMS", 0x010, Access.RO, "Vector SRAM size in bf16 elements.", None),
    Register("MSRAM_TILES", 0x014, Access.RO, "Matrix SRAM size in tiles of MLEN*MLEN elements.", None),
    Register("FP_WORDS", 0x018, Access.RO, "FP_MEM size in bf16 words.", None),
    Register("INT_WORDS", 0x01C, Access.RO, "INT_MEM size in 32-bit words.", None),
    Register(
        "CTRL",
        0x020,
        Access.WO,
        "Commands; ABORT wins over START, START over RESUME.",
        0,
        (
            BitField("START", 0, 1, "run from pc 0 with the architectural registers at their reset values"),
            BitField("RESUME", 1, 1, "run from RESUME_PC with everything kept"),
            BitField("ABORT", 2, 1, "give up whatever runs or was left undrained; also while a program runs"),
        ),
    ),
    Register(
        "STATUS",
        0x024,
        Access.RO,
        "What the machine does; all 0 before the first start.",
        0,
        (
            BitField("RUNNING", 0, 1, "a program runs or drains"),
            BitField("STOPPED", 1, 1, "the last program came to a normal stop"),
            BitField("TRAPPED", 2, 1, "the last program trapped; CAUSE says why"),
            BitField("UNDRAINED", 3, 1, "WATCHDOG gave the drain up: memories are undefined, ABORT is due"),
            BitField("BUS_ERROR", 4, 1, "a transfer of the last program failed, whatever CAUSE says"),
            BitField(
                "ABORTED", 5, 1, "aborted since the last start: memories are undefined, RESUME is refused"
            ),
            BitField("REFUSED", 6, 1, "the last START or RESUME was refused: see UNDRAINED, ABORTED, NO_IDS"),
            BitField("NO_IDS", 7, 1, "every group of AXI IDs has late answers to come: START is refused"),
            BitField("LATE_READS", 8, 1, "an aborted program's reads are still unanswered"),
            BitField("LATE_WRITES", 9, 1, "an aborted program's writes are: bytes that it stored may change"),
        ),
    ),
    Register(
        "CAUSE",
        0x028,
        Access.RO,
        "Trap cause code of the last program; 0 when it did not trap.",
        0,
        (BitField("CODE", 0, 4, "see the trap table of the ISA"),),
    ),
    Register("PC", 0x02C, Access.RO, "pc of the C_BREAK or the culprit, or the length of the program."),
    Register("BASE_LO", 0x030, Access.RW, "HBM byte address of the program, bits 31:0."),
    Register("BASE_HI", 0x034, Access.RW, "HBM byte address of the program, bits 63:32."),
    Register("LENGTH", 0x038, Access.RW, "Length of the program in words."),
    Register("RESUME_PC", 0x03C, Access.RW, "pc at which CTRL.RESUME continues."),
    Register("LIMIT_LO", 0x040, Access.RW, "First HBM byte address after the data, bits 31:0."),
    Register("LIMIT_HI", 0x044, Access.RW, "First HBM byte address after the data, bits 63:32."),
    Register("WATCHDOG_LO", 0x048, Access.RW, "Cycles a program may run, bits 31:0; 64 zero bits: no limit."),
    Register("WATCHDOG_HI", 0x04C, Access.RW, "Cycles a program may run, bits 63:32."),
    Register("IRQ_ENABLE", 0x050, Access.RW, "Events that raise the interrupt line.", 0, _EVENTS),
    Register("IRQ_STATUS", 0x054, Access.W1C, "Events since they were last cleared.", 0, _EVENTS),
    Register("CYCLES_LO", 0x058, Access.RO, "Cycles since the last start, drain included, bits 31:0."),
    Register("CYCLES_HI", 0x05C, Access.RO, "Cycles since the last start, bits 63:32."),
    Register("INSTRUCTIONS_LO", 0x060, Access.RO, "Instructions completed since the last start, bits 31:0."),
    Register("INSTRUCTIONS_HI", 0x064, Access.RO, "Instructions completed since the last start, bits 63:32."),
    Register("DRAIN_LIMIT", 0x068, Access.RW, "Cycles of a drain after WATCHDOG.", DRAIN_LIMIT_RESET),
    Register("SCALE", 0x080, Access.RO, "Architectural register SCALE."),
    Register("STRIDE", 0x084, Access.RO, "Architectural register STRIDE.", 1),
    Register("V_MASK", 0x088, Access.RO, "Architectural register V_MASK."),
    Register("GP", 0x100, Access.RO, "Integer registers gp0..gp15.", count=16),
    Register(
        "F", 0x140, Access.RO, "Float registers f0..f7.", fields=(BitField("BITS", 0, 16, "bf16"),), count=8
    ),
    Register("A_LO", 0x180, Access.RO, "HBM address registers a0..a7, bits 31:0.", count=8, step=8),
    Register("A_HI", 0x184, Access.RO, "HBM address registers a0..a7, bits 63:32.", count=8, step=8),
    *(
        Register(
            f"{group.name.upper()}_{half}",
            group.offset + 4 * high,
            Access.RO,
            f"{group.meaning} Counters below, bits {bits}.",
            count=len(group.counters),
            step=8,
        )
        for group in counters.GROUPS.values()
        for high, (half, bits) in enumerate((("LO", "31:0"), ("HI", "63:32")))
    ),
)

#: Every control register by name, in address order of the first register.
REGISTERS: dict[str, Register] = {entry.name: entry for entry in _TABLE}
