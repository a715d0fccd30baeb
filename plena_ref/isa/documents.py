"""The generated parts of the documentation, in Markdown: instructions, accesses, operations, registers."""

from __future__ import annotations

from plena_ref.isa import counters, csr
from plena_ref.isa import instructions as isa
from plena_ref.isa.formats import ELEMENT, FORMATS
from plena_ref.isa.operations import OPERATIONS


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def instruction_table() -> str:
    """The instruction table of `docs/isa.md` in Markdown."""
    lines = [
        "| code | assembly | fields | unit | must be 0 | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for entry in isa.INSTRUCTIONS.values():
        text = entry.text_form if entry.legal else entry.mnemonic
        fields = ", ".join(f"{o.name} = {o.place.name}" for o in entry.encoded) or "none"
        if entry.ignored:
            fields += "; ignored: " + ", ".join(field.name for field in entry.ignored)
        mask = f"{entry.zero_mask:08X}" if entry.legal else "-"
        lines.append(_row(f"{entry.opcode:02X}", f"`{text}`", fields, entry.unit.name, mask, entry.meaning))
    return "\n".join(lines)


def access_table() -> str:
    """What the instructions read and write, a row for all of one shape, in Markdown."""
    lines = ["| instructions | unit | reads | writes |", "|---|---|---|---|"]
    legal = [entry for entry in isa.INSTRUCTIONS.values() if entry.legal]
    for shape in dict.fromkeys(entry.shape for entry in legal):
        names = ", ".join(entry.mnemonic for entry in legal if entry.shape == shape)
        reads, writes = ("; ".join(access.text for access in part) for part in (shape.reads, shape.writes))
        lines.append(_row(names, shape.unit.name, reads, writes))
    return "\n".join(lines)


def operation_table() -> str:
    """The operation codes of the units in Markdown."""
    lines = ["| unit | code | operation | instructions |", "|---|---|---|---|"]
    for unit, codes in OPERATIONS.items():
        for name, code in codes.items():
            users = (e.mnemonic for e in isa.INSTRUCTIONS.values() if e.unit is unit and name in e.operations)
            lines.append(_row(unit.name, str(code), f"{unit.name}_OP_{name}", ", ".join(users)))
    return "\n".join(lines)


def format_table() -> str:
    """The element formats of HBM in Markdown; the one that machines have by default is named."""
    head = (
        "ELEMENT, format, exponent, mantissa, bias, subnormal, largest, infinity, NaN, written as NaN, rules"
    )
    cells = head.split(", ")
    lines = [_row(*cells), "|" + "---|" * len(cells)]
    for entry in FORMATS.values():
        key = f"**{entry.key}** (default)" if entry.key == ELEMENT else entry.key
        last = entry.largest + 1
        infinity = f"{last:02X}" if last < entry.first_nan else "none"
        nan = f"{entry.first_nan:02X}..7F" if entry.first_nan < 0x7F else "7F"
        largest = f"{entry.magnitude(entry.largest):g} ({entry.largest:02X})"
        fields = (str(entry.exponent_bits), str(entry.mantissa_bits), str(entry.bias))
        subnormal = f"m/{1 << entry.mantissa_bits} * 2^{entry.smallest_exponent}"
        text = (subnormal, largest, infinity, nan, f"{entry.nan:02X}", entry.rules.value)
        lines.append(_row(key, entry.name, *fields, *text))
    return "\n".join(lines)


def registers_text() -> str:
    """The text of `docs/registers.md`."""
    lines = [
        "# Control registers",
        "",
        "Generated from `plena_ref/isa/csr.py` by `python -m plena_ref codegen`;",
        "edit that file, not this one.",
        "",
        f"The AXI4-Lite slave has {csr.ADDRESS_BITS}-bit byte addresses and {csr.DATA_BITS}-bit data.",
        "Write strobes are honoured byte by byte, and address bits 1:0 are not looked at. A read of",
        "an unlisted offset gives 0, a write to an unlisted or read-only one does nothing, and both",
        "answer SLVERR. Registers that show machine state (PC, counters, SCALE to A_HI) hold still",
        "while STATUS.RUNNING is 0.",
        "",
        "Registers that say how a program runs (BASE, LENGTH, RESUME_PC, LIMIT, WATCHDOG, DRAIN_LIMIT)",
        "can be written only while STATUS.RUNNING is 0; else a write changes nothing and answers SLVERR.",
        "An event in the cycle in which IRQ_STATUS is cleared stays set; the other bits are cleared.",
        'What CTRL and STATUS do is in [isa.md](isa.md), "Programs and their control".',
        "",
        "| offset | name | access | reset | meaning |",
        "|---|---|---|---|---|",
    ]
    for register in csr.REGISTERS.values():
        offset = f"{register.offset:03X}"
        name = register.name
        if register.count > 1:
            offset += f" + {register.step}n"
            name += f"[{register.count}]"
        reset = "shape" if register.reset is None else f"{register.reset:X}"
        lines.append(f"| {offset} | {name} | {register.access.value} | {reset} | {register.meaning} |")
    lines += [
        "",
        "## Fields",
        "",
        "Bits that no field names read 0.",
        "",
        "| register | bits | field | meaning |",
        "|---|---|---|---|",
    ]
    for register in csr.REGISTERS.values():
        for field in register.fields:
            top = field.lsb + field.width - 1
            bits = f"{top}:{field.lsb}" if field.width > 1 else f"{field.lsb}"
            lines.append(f"| {register.name} | {bits} | {field.name} | {field.meaning} |")
    lines += [
        "",
        "## Counters",
        "",
        "64 bits each, the low word first. They count from start to stop, are 0 after a start, and go",
        "on with a resume. Every group but totals adds up to CYCLES.",
        "",
        "| offset | group | counter | counts |",
        "|---|---|---|---|",
    ]
    for group in counters.GROUPS.values():
        for number, counter in enumerate(group.counters):
            offset = f"{group.offset + 8 * number:03X}"
            lines.append(f"| {offset} | {group.name} | {counter.name} | {counter.meaning} |")
    return "\n".join(lines) + "\n"
