"""What a trap wants to say: which operand broke which rule of docs/isa.md, and what to change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from plena_ref.isa import instructions as isa
from plena_ref.isa.access import Access, Place, Space
from plena_ref.isa.disassembler import disassemble
from plena_ref.machine.access_length import access_length
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.state import Registers

#: Rules that name no operand's value.
_RULES = {
    "ILLEGAL_OPCODE": 'there is no instruction with this opcode (docs/isa.md, "Encoding")',
    "LOOP_COUNT": "a loop needs a trip count of at least 1 and a counter other than gp0",
    "LOOP_OVERFLOW": "more loops are open than the loop stack holds: raise LOOP_DEPTH=",
    "LOOP_MISMATCH": "the innermost open loop has another counter, or the program ends inside a loop",
    "FETCH_ERROR": "the program lies outside of the memory",
    "WATCHDOG": "the program ran for WATCHDOG= cycles; 0 is no limit",
}


def advice(
    cause: str, word: int | None, registers: Registers, hw: Hardware, raise_with: Mapping[str, str]
) -> str:
    """One line on a trap: the operand that broke a rule, its value, and the rule.

    Args:
        cause: name of the trap.
        word: the instruction; None: the program ran off its end.
        registers: as they were when it trapped.
        hw: the machine.
        raise_with: by memory, what a user raises to get more of it.
    """
    if cause in _RULES or word is None:
        return _RULES.get(cause, "")
    entry = isa.BY_OPCODE[isa.opcode(word)]
    if cause == "ILLEGAL_OPERAND":
        return _illegal_operand(entry, word)
    if cause == "HBM_MISALIGNED":
        return _hbm_misaligned(word, registers, hw)
    if cause == "HBM_ERROR":
        return _hbm_range(word, registers, raise_with["hbm"])
    space, memory, rule = _RULES_OF_ADDRESSES[cause]
    found = [
        rule(_Address.of(access, word, registers), hw, raise_with[memory])
        for access in (*entry.shape.reads, *entry.shape.writes)
        if access.space is space
    ]
    return "; ".join(text for text in found if text)


def _illegal_operand(entry: isa.Instruction, word: int) -> str:
    """The registers and flags that do not exist, or the bits that must be 0."""
    found = []
    for operand in entry.encoded:
        value = operand.field.get(word) if operand.field is not None else 0
        if operand.kind in (isa.Kind.A, isa.Kind.F) and value > 7:
            name = operand.kind.name.lower()
            found.append(f"{operand.name} is {name}{value}; there are {name}0..{name}7")
        elif operand.kind is isa.Kind.FLAG and value > 1:
            found.append(f"{operand.name} is {value}; it must be 0 or 1")
    return "; ".join(found) or f"the bits 0x{word & entry.zero_mask:08X} of 0x{word:08X} must be 0"


@dataclass(frozen=True)
class _Address:
    """Where an access begins, and how that comes about.

    Attributes:
        access: what is read or written.
        value: element or word.
        text: the registers and the immediate whose sum it is.
        stride: rows from row to row.
        policy: the instruction's field rs3.
    """

    access: Access
    value: int
    text: str
    stride: int
    policy: int

    @classmethod
    def of(cls, access: Access, word: int, registers: Registers) -> _Address:
        total, parts = 0, []
        for field in access.address:
            value = field.get(word)
            if field.name.startswith("imm"):
                total += value
                parts.append(f"{value}")
            else:
                total += registers.gp[value]
                parts.append(f"gp{value} = {registers.gp[value]}")
        stride = 0 if access.stride is None else access.stride.get(word)
        rows = registers.gp[stride] if stride else 1
        return cls(access, total, " + ".join(parts), rows, isa.RS3.get(word))


def _vram_misaligned(at: _Address, hw: Hardware, raise_with: str) -> str | None:
    name, step = ("BLEN", hw.blen) if at.access.place is Place.BLOCK else ("VLEN", hw.mlen)
    return f"VRAM element {at.text} is no multiple of {name} = {step}" if at.value % step else None


def _vram_range(at: _Address, hw: Hardware, raise_with: str) -> str | None:
    last = at.value // hw.mlen + (access_length(hw, at.access, at.policy) - 1) * at.stride
    if last < hw.vram_rows:
        return None
    return f"VRAM row {last} ({at.text}), but there are {hw.vram_rows} rows: raise {raise_with}"


def _msram_range(at: _Address, hw: Hardware, raise_with: str) -> str:
    tile = at.value // hw.tile_elems
    return f"MSRAM tile {tile} ({at.text}), but there are {hw.msram_tiles}: raise {raise_with}"


def _msram_misaligned(at: _Address, hw: Hardware, raise_with: str) -> str:
    rules = {
        Place.WHOLE: f"a multiple of MLEN^2 = {hw.tile_elems}",
        Place.COLUMNS: f"a multiple of BLEN*MLEN = {hw.blen * hw.mlen}, or of BLEN = {hw.blen} below MLEN",
        Place.ROWS: f"a multiple of BLEN*MLEN = {hw.blen * hw.mlen}",
        Place.HEAD: f"a multiple of HLEN = {hw.hlen} below MLEN",
    }
    rule, offset = rules.get(at.access.place, "aligned"), at.value % hw.tile_elems
    return f"MSRAM element {at.text} lies at {offset} in its tile, which must be {rule}"


def _words(at: _Address, hw: Hardware, raise_with: str) -> str:
    where = f"{at.access.space.value} word {at.value} ({at.text})"
    return f"{where} and what follows it are past the end: raise {raise_with}"


#: By trap: the memory, what a user calls it, and what is said of an access to it.
_RULES_OF_ADDRESSES: Mapping[str, tuple[Space, str, Callable[[_Address, Hardware, str], str | None]]] = {
    "VRAM_MISALIGNED": (Space.VRAM, "vram", _vram_misaligned),
    "VRAM_RANGE": (Space.VRAM, "vram", _vram_range),
    "MSRAM_MISALIGNED": (Space.MSRAM, "msram", _msram_misaligned),
    "MSRAM_RANGE": (Space.MSRAM, "msram", _msram_range),
    "FP_MEM_RANGE": (Space.FP_MEM, "fpmem", _words),
    "INT_MEM_RANGE": (Space.INT_MEM, "intmem", _words),
}


def _hbm_misaligned(word: int, registers: Registers, hw: Hardware) -> str:
    base, offset = isa.RS2.get(word), isa.RS1.get(word)
    values = {f"a{base}": registers.a[base], f"gp{offset}": registers.gp[offset]}
    if isa.RS3.get(word):
        values["STRIDE"] = registers.stride
    tile = isa.BY_OPCODE[isa.opcode(word)].mnemonic == "H_PREFETCH_M"
    form = hw.hbm_format("m" if tile else "v", isa.FUNCT1.get(word))
    units = {name: form.block if name[0] == "a" else form.alignment for name in values}
    odd = [f"{name} = {value}" for name, value in values.items() if value % units[name]]
    rule = f"base, offset and STRIDE must each be a multiple of MX_BLOCK = {form.block}"
    if form.bf16:
        rule += f", offset and STRIDE of 2*MX_BLOCK = {form.alignment} where rows are bf16"
    return f"{', '.join(odd) or disassemble(word)}: {rule}"


def _hbm_range(word: int, registers: Registers, raise_with: str) -> str:
    base, offset = isa.RS2.get(word), isa.RS1.get(word)
    address, distance = registers.a[base], registers.gp[offset]
    return (
        f"a transfer from HBM byte {address + distance} (a{base} = {address} + gp{offset} = {distance}; "
        f"SCALE {registers.scale}, STRIDE {registers.stride}) passes the end of HBM data: raise {raise_with}"
    )
