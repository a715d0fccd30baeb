"""Generated files: the RTL's constants and the tables in the documentation.

`python -m plena_ref codegen` writes them, `python -m plena_ref codegen --check` says which are stale.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from plena_ref.isa import counters, csr
from plena_ref.isa import instructions as isa

#: The checkout that holds this package.
ROOT = Path(__file__).resolve().parents[2]


def _function(name: str, width: int, values: dict[str, str], default: str) -> list[str]:
    """A SystemVerilog function of the opcode: `values` by mnemonic, `default` for every other opcode."""
    size = f"[{width - 1}:0] " if width > 1 else ""
    lines = [f"  function automatic logic {size}{name}(input logic [5:0] op);", "    case (op)"]
    lines += [f"      OP_{mnemonic}: {name} = {value};" for mnemonic, value in values.items()]
    lines += [f"      default: {name} = {default};", "    endcase", "  endfunction"]
    return lines


def package_text() -> str:
    """The text of `rtl/plena_pkg.sv`."""
    out: list[str] = [
        "// Constants of the PLENA instruction set and control registers, and the decode tables.",
        "// Parameters and combinational functions of the opcode only: no state, no timing.",
        "// Generated from the tables of plena_ref/isa; specified in docs/isa.md and docs/registers.md.",
        "`timescale 1ns / 1ps",
        "`default_nettype none",
        "",
        "// A file that names one constant sees all of them; each user needs only its own share.",
        "/* verilator lint_off UNUSEDPARAM */",
        "",
        "package plena_pkg;",
        "",
        "  // Opcodes, instruction bits 5:0",
    ]
    for entry in isa.INSTRUCTIONS.values():
        out.append(f"  localparam logic [5:0] OP_{entry.mnemonic} = 6'h{entry.opcode:02X};")
    out += ["", "  // Fields of an instruction word: lowest bit and number of bits"]
    for field in isa.FIELDS:
        out.append(f"  localparam int {field.name.upper()}_LSB = {field.lsb};")
        out.append(f"  localparam int {field.name.upper()}_W = {field.width};")
    out += ["", "  // Executing unit of an instruction"]
    out += [f"  localparam logic [2:0] UNIT_{unit.name} = 3'd{unit.value};" for unit in isa.Unit]
    out += ["", "  // Trap causes", "  localparam logic [3:0] CAUSE_NONE = 4'd0;"]
    out += [f"  localparam logic [3:0] CAUSE_{cause.name} = 4'd{cause.value};" for cause in isa.TrapCause]
    out += ["", "  // Control registers: byte offsets, and bit positions of their fields"]
    for register in csr.REGISTERS.values():
        out.append(f"  localparam logic [11:0] CSR_{register.name} = 12'h{register.offset:03X};")
    for register in csr.REGISTERS.values():
        for field in register.fields:
            out.append(f"  localparam int CSR_{register.name}_{field.name}_LSB = {field.lsb};")
    out.append(f"  localparam logic [31:0] CSR_ID_VALUE = 32'h{csr.ID_VALUE:08X};")
    out.append(f"  localparam logic [31:0] CSR_VERSION_VALUE = 32'h{csr.VERSION_VALUE:08X};")

    out += ["", "  // Performance counters: states of dispatch and of a queue's head, numbers of sums"]
    for name, table in (("DISPATCH", counters.DISPATCH), ("QUEUE", counters.QUEUE)):
        out.append(f"  localparam int {name}_STATES = {len(table)};")
        for number, counter in enumerate(table):
            out.append(f"  localparam logic [3:0] {name}_{counter.name.upper()} = 4'd{number};")
    out.append(f"  localparam int TOTALS = {len(counters.TOTALS)};")
    for number, counter in enumerate(counters.TOTALS):
        out.append(f"  localparam int TOTAL_{counter.name.upper()} = {number};")

    legal = {entry.mnemonic: entry for entry in isa.INSTRUCTIONS.values() if entry.legal}
    out += ["", "  // 1 for an opcode that this machine executes; any other traps as ILLEGAL_OPCODE"]
    out += _function("op_legal", 1, dict.fromkeys(legal, "1'b1"), "1'b0")
    out += ["", "  // The executing unit; UNIT_CTRL for an opcode that is not executed"]
    out += _function("op_unit", 3, {name: f"UNIT_{i.unit.name}" for name, i in legal.items()}, "UNIT_CTRL")
    out += ["", "  // Instruction bits that must be 0, else ILLEGAL_OPERAND; for an opcode that is executed"]
    zero_masks = {name: f"32'h{i.zero_mask:08X}" for name, i in legal.items()}
    out += _function("operand_zero_mask", 32, zero_masks, "32'hFFFFFFC0")
    out += [
        "",
        "endpackage",
        "",
        "/* verilator lint_on UNUSEDPARAM */",
        "`default_nettype wire",
        "",
    ]
    return "\n".join(out)


def instruction_table() -> str:
    """The instruction table of `docs/isa.md` in Markdown."""
    lines = [
        "| code | assembly | fields | unit | must be 0 | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for entry in isa.INSTRUCTIONS.values():
        text = entry.text_form if entry.legal else entry.mnemonic
        fields = ", ".join(f"{o.name} = {o.field.name}" for o in entry.encoded) or "none"
        if entry.ignored:
            fields += "; ignored: " + ", ".join(field.name for field in entry.ignored)
        mask = f"{entry.zero_mask:08X}" if entry.legal else "-"
        row = (f"{entry.opcode:02X}", f"`{text}`", fields, entry.unit.name, mask, entry.meaning)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
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
    lines += ["", "## Fields", "", "Bits that no field names read 0.", "",
              "| register | bits | field | meaning |", "|---|---|---|---|"]
    for register in csr.REGISTERS.values():
        for field in register.fields:
            top = field.lsb + field.width - 1
            bits = f"{top}:{field.lsb}" if field.width > 1 else f"{field.lsb}"
            lines.append(f"| {register.name} | {bits} | {field.name} | {field.meaning} |")
    lines += ["", "## Counters", "",
              "64 bits each, the low word first. They count from start to stop, are 0 after a start, and go",
              "on with a resume. Every group but totals adds up to CYCLES.", "",
              "| offset | group | counter | counts |", "|---|---|---|---|"]
    for group in counters.GROUPS.values():
        for number, counter in enumerate(group.counters):
            offset = f"{group.offset + 8 * number:03X}"
            lines.append(f"| {offset} | {group.name} | {counter.name} | {counter.meaning} |")
    return "\n".join(lines) + "\n"


def replace_block(text: str, name: str, body: str) -> str:
    """`text` with the part between the markers `<!-- begin NAME -->` and `<!-- end NAME -->` replaced.

    Raises:
        ValueError: the markers are not there exactly once, in order.
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"expected one '{begin}' before one '{end}'")
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}\n{body}\n{end}{tail}"


def _isa_document(text: str) -> str:
    return replace_block(text, "instruction table", instruction_table())


#: Each generated file by its path in the checkout: old text to new text.
_PRODUCTS: dict[str, Callable[[str], str]] = {
    "rtl/plena_pkg.sv": lambda _old: package_text(),
    "docs/registers.md": lambda _old: registers_text(),
    "docs/isa.md": _isa_document,
}


def stale(root: Path = ROOT) -> list[str]:
    """Paths of the generated files under `root` that differ from what the tables give, or are missing."""
    result = []
    for path, render in _PRODUCTS.items():
        file = root / path
        old = file.read_text(encoding="utf-8") if file.exists() else ""
        if not file.exists() or render(old) != old:
            result.append(path)
    return result


def write(root: Path = ROOT) -> list[str]:
    """Bring every generated file under `root` up to date; returns the paths that changed."""
    changed = stale(root)
    for path in changed:
        file = root / path
        old = file.read_text(encoding="utf-8") if file.exists() else ""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_PRODUCTS[path](old), encoding="utf-8")
    return changed
