"""What a trap wants to say: which operand broke which rule of docs/isa.md, and what to change."""

from __future__ import annotations

from collections.abc import Mapping

from plena_ref.isa import instructions as isa
from plena_ref.isa.access import Access, Count, Place, Space
from plena_ref.isa.disassembler import disassemble
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
_WORD_MEMORIES = {"FP_MEM_RANGE": (Space.FP_MEM, "fpmem"), "INT_MEM_RANGE": (Space.INT_MEM, "intmem")}


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
    accesses = (*entry.shape.reads, *entry.shape.writes)
    if cause in ("VRAM_MISALIGNED", "VRAM_RANGE"):
        found = [_vram(a, word, registers, hw, cause, raise_with["vram"]) for a in accesses]
    elif cause in ("MSRAM_MISALIGNED", "MSRAM_RANGE"):
        found = [_msram(a, word, registers, hw, cause, raise_with["msram"]) for a in accesses]
    elif cause in _WORD_MEMORIES:
        space, memory = _WORD_MEMORIES[cause]
        found = [_words(a, word, registers, raise_with[memory]) for a in accesses if a.space is space]
    elif cause == "HBM_MISALIGNED":
        found = [_hbm_misaligned(word, registers, hw)]
    else:
        found = [_hbm_range(word, registers, raise_with["hbm"])]
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


def _sum(access: Access, word: int, registers: Registers) -> tuple[int, str]:
    """The address of an access, and how it comes about."""
    total, parts = 0, []
    for field in access.address:
        value = field.get(word)
        if field.name.startswith("imm"):
            total += value
            parts.append(f"{value}")
        else:
            total += registers.gp[value]
            parts.append(f"gp{value} = {registers.gp[value]}")
    return total, " + ".join(parts)


def _vram(
    access: Access, word: int, registers: Registers, hw: Hardware, cause: str, raise_with: str
) -> str | None:
    if access.space is not Space.VRAM:
        return None
    address, text = _sum(access, word, registers)
    step = hw.blen if access.place is Place.BLOCK else hw.mlen
    if cause == "VRAM_MISALIGNED":
        name = "BLEN" if access.place is Place.BLOCK else "VLEN"
        return f"VRAM element {text} is no multiple of {name} = {step}" if address % step else None
    counts = {
        Count.BLEN: hw.blen,
        Count.MLEN: hw.mlen,
        Count.LANES: hw.lanes,
        Count.HEADS: hw.lanes * hw.mlen,
        Count.VPREF: hw.vpref,
        Count.VSTORE: hw.vstore,
        Count.LOGITS: -(-128 // hw.mlen),
    }
    stride = 1
    if access.stride is not None and access.stride.get(word):
        stride = registers.gp[access.stride.get(word)]
    last = address // hw.mlen + (counts.get(access.count, 1) - 1) * stride
    if last < hw.vram_rows:
        return None
    return f"VRAM row {last} ({text}), but there are {hw.vram_rows} rows: raise {raise_with}"


def _msram(
    access: Access, word: int, registers: Registers, hw: Hardware, cause: str, raise_with: str
) -> str | None:
    if access.space is not Space.MSRAM:
        return None
    address, text = _sum(access, word, registers)
    tile, offset = divmod(address, hw.tile_elems)
    if cause == "MSRAM_RANGE":
        return f"MSRAM tile {tile} ({text}), but there are {hw.msram_tiles}: raise {raise_with}"
    rules = {
        Place.WHOLE: f"a multiple of MLEN^2 = {hw.tile_elems}",
        Place.COLUMNS: f"a multiple of BLEN*MLEN = {hw.blen * hw.mlen}, or of BLEN = {hw.blen} below MLEN",
        Place.ROWS: f"a multiple of BLEN*MLEN = {hw.blen * hw.mlen}",
        Place.HEAD: f"a multiple of HLEN = {hw.hlen} below MLEN",
    }
    rule = rules.get(access.place, "aligned")
    return f"MSRAM element {text} lies at {offset} in its tile, which must be {rule}"


def _words(access: Access, word: int, registers: Registers, raise_with: str) -> str:
    address, text = _sum(access, word, registers)
    where = f"{access.space.value} word {address} ({text})"
    return f"{where} and what follows it are past the end: raise {raise_with}"


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
