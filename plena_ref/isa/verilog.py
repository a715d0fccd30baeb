"""The text of `rtl/plena_pkg.sv`: constants of the tables, and decoding as functions of a word."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from plena_ref.isa import counters, csr
from plena_ref.isa import instructions as isa
from plena_ref.isa.access import Access, Count, Place, Space
from plena_ref.isa.encoding import IMM18, RD, RS1, RS2, Field, Kind, Unit
from plena_ref.isa.formats import SCALE, TRANSFER_CLASSES
from plena_ref.isa.instructions import Instruction
from plena_ref.isa.operations import (
    M_ONE_ROW,
    M_PER_HEAD,
    M_TRANSPOSED,
    M_WRITE_OUT,
    OPERATIONS,
    code_bits,
    no_operation,
)
from plena_ref.isa.policies import POLICIES

#: Fields that may hold the gp register of an address, by the code that the RTL has for them.
_ADDRESS_FIELDS = (RD, RS1, RS2)


def _size(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""


def _function(
    name: str, width: int, values: dict[str, str], default: str, argument: str = "[5:0] op"
) -> list[str]:
    """A SystemVerilog function of the opcode or the word: `values` by mnemonic, `default` for all others."""
    variable = argument.split()[-1]
    subject = variable if variable == "op" else f"opcode_of({variable})"
    lines = [f"  function automatic logic {_size(width)}{name}(input logic {argument});"]
    lines.append(f"    case ({subject})")
    lines += [f"      OP_{mnemonic}: {name} = {value};" for mnemonic, value in values.items()]
    lines += [f"      default: {name} = {default};", "    endcase", "  endfunction"]
    return lines


def _legal() -> list[Instruction]:
    return [entry for entry in isa.INSTRUCTIONS.values() if entry.legal]


def _flag_function(comment: str, name: str, holds: Callable[[Instruction], bool]) -> list[str]:
    values = {entry.mnemonic: "1'b1" for entry in _legal() if holds(entry)}
    return ["", f"  // {comment}", *_function(name, 1, values, "1'b0")]


def _accesses(accesses: Iterable[Access], space: Space) -> list[Access]:
    return [access for access in accesses if access.space is space]


def _first(accesses: Iterable[Access], space: Space) -> Access | None:
    return next(iter(_accesses(accesses, space)), None)


# Constants


def _constants() -> list[str]:
    """Opcodes, fields, units, causes, and the codes that the decode functions give."""
    out = ["  // Opcodes, instruction bits 5:0"]
    out += [
        f"  localparam logic [5:0] OP_{e.mnemonic} = 6'h{e.opcode:02X};" for e in isa.INSTRUCTIONS.values()
    ]
    out += ["", "  // Fields of an instruction word: lowest bit and number of bits"]
    for field in isa.FIELDS:
        out.append(f"  localparam int {field.name.upper()}_LSB = {field.lsb};")
        out.append(f"  localparam int {field.name.upper()}_W = {field.width};")
    out += ["", "  // Executing unit of an instruction"]
    out += [f"  localparam logic [2:0] UNIT_{unit.name} = 3'd{unit.value};" for unit in isa.Unit]
    out += ["", "  // Trap causes", "  localparam logic [3:0] CAUSE_NONE = 4'd0;"]
    out += [f"  localparam logic [3:0] CAUSE_{cause.name} = 4'd{cause.value};" for cause in isa.TrapCause]
    bits = code_bits()
    out += ["", "  // Operation codes of the units; NO_OPERATION is none of them"]
    out += [f"  localparam int UNIT_OP_W = {bits};"]
    out += [f"  localparam logic [UNIT_OP_W-1:0] NO_OPERATION = {bits}'d{no_operation()};"]
    for unit, codes in OPERATIONS.items():
        for name, code in codes.items():
            out.append(f"  localparam logic [UNIT_OP_W-1:0] {unit.name}_OP_{name} = {bits}'d{code};")
    out += _format_constants()
    out += ["", "  // Bits of a matrix operation code; the upper two name the accumulators m, v, hm, hv"]
    for name, bit in (
        ("TRANSPOSED", M_TRANSPOSED),
        ("WRITE_OUT", M_WRITE_OUT),
        ("ONE_ROW", M_ONE_ROW),
        ("PER_HEAD", M_PER_HEAD),
    ):
        out.append(f"  localparam int M_{name} = {bit};")
    out += ["", "  // The field whose gp register is the address, or the first summand of it"]
    out += [f"  localparam logic [1:0] AT_{f.name.upper()} = 2'd{n};" for n, f in enumerate(_ADDRESS_FIELDS)]
    out += ["", "  // How many rows or words an access covers"]
    out += [f"  localparam logic [3:0] COUNT_{count.name} = 4'd{n};" for n, count in enumerate(Count)]
    out += ["", "  // V_TOPK by the value of its policy: the logits, and how many of them are chosen"]
    for number, policy in enumerate(POLICIES):
        out.append(f"  localparam int TOPK_LOGITS_{number} = {policy.logits};")
        out.append(f"  localparam int TOPK_CHOSEN_{number} = {policy.chosen};")
    out += ["", "  // Where in its row or tile an access may begin"]
    return out + [f"  localparam logic [2:0] PLACE_{place.name} = 3'd{n};" for n, place in enumerate(Place)]


def _format_constants() -> list[str]:
    """What the RTL knows of the formats of HBM beside those of elements: see `verilog_formats`."""
    return [
        "",
        f"  // Scales of HBM, {SCALE.name}",
        f"  localparam logic [7:0] MX_SCALE_NAN = 8'h{SCALE.nan:02X};",
    ]


def _registers() -> list[str]:
    """Control registers and counters."""
    out = ["", "  // Control registers: byte offsets, and bit positions of their fields"]
    for register in csr.REGISTERS.values():
        out.append(f"  localparam logic [11:0] CSR_{register.name} = 12'h{register.offset:03X};")
    for register in csr.REGISTERS.values():
        for field in register.fields:
            out.append(f"  localparam int CSR_{register.name}_{field.name}_LSB = {field.lsb};")
    out.append(f"  localparam logic [31:0] CSR_ID_VALUE = 32'h{csr.ID_VALUE:08X};")
    out.append(f"  localparam logic [31:0] CSR_VERSION_VALUE = 32'h{csr.VERSION_VALUE:08X};")
    out.append(f"  localparam logic [31:0] CSR_DRAIN_LIMIT_RESET = 32'd{csr.DRAIN_LIMIT_RESET};")
    out += ["", "  // Performance counters: states of dispatch and of a queue's head, numbers of sums"]
    for name, table in (("DISPATCH", counters.DISPATCH), ("QUEUE", counters.QUEUE)):
        out.append(f"  localparam int {name}_STATES = {len(table)};")
        for number, counter in enumerate(table):
            out.append(f"  localparam logic [3:0] {name}_{counter.name.upper()} = 4'd{number};")
    out.append(f"  localparam int TOTALS = {len(counters.TOTALS)};")
    for number, counter in enumerate(counters.TOTALS):
        out.append(f"  localparam int TOTAL_{counter.name.upper()} = {number};")
    return out


# Functions


def _field_functions() -> list[str]:
    """Fields of a word, the f and a registers that fields name, and flags."""
    out = ["", "  // Fields of an instruction word"]
    for field in isa.FIELDS:
        name = field.name.upper()
        out += [
            f"  function automatic logic {_size(field.width)}{field.name}_of(input logic [31:0] word);",
            f"    {field.name}_of = word[{name}_LSB+:{name}_W];",
            "  endfunction",
        ]
    out += ["", "  // The f or a register that a field names"]
    named = {(o.kind, o.place) for entry in _legal() for o in entry.encoded if o.kind in (Kind.F, Kind.A)}
    for kind, field in sorted(named, key=lambda pair: (pair[0].name, pair[1].lsb)):
        name = f"{kind.name.lower()}_{field.name}_of"
        out += [
            f"  function automatic logic [2:0] {name}(input logic [31:0] word);",
            f"    {name} = word[{field.name.upper()}_LSB+:3];",
            "  endfunction",
        ]
    flags = {o.name: o.place for entry in _legal() for o in entry.encoded if o.kind is Kind.FLAG}
    for flag, field in flags.items():
        bit = f"word[{field.name.upper()}_LSB]"
        values = {e.mnemonic: bit for e in _legal() if flag in (o.name for o in e.encoded)}
        out += ["", f"  // The flag {flag}; 0 for an instruction without it"]
        out += _function(f"{flag}_of", 1, values, "1'b0", "[31:0] word")
    return out


def _opcode_functions() -> list[str]:
    """Legality, unit, bits that must be 0, and the unit's operation."""
    legal = _legal()
    out = ["", "  // 1 for an opcode that this machine executes; any other traps as ILLEGAL_OPCODE"]
    out += _function("op_legal", 1, {entry.mnemonic: "1'b1" for entry in legal}, "1'b0")
    out += ["", "  // The executing unit; UNIT_CTRL for an opcode that is not executed"]
    out += _function("op_unit", 3, {i.mnemonic: f"UNIT_{i.unit.name}" for i in legal}, "UNIT_CTRL")
    out += ["", "  // Instruction bits that must be 0, else ILLEGAL_OPERAND; for an opcode that is executed"]
    zero_masks = {entry.mnemonic: f"32'h{entry.zero_mask:08X}" for entry in legal}
    out += _function("operand_zero_mask", 32, zero_masks, "32'hFFFFFFC0")
    operations = {}
    for entry in legal:
        names = [f"{entry.unit.name}_OP_{name}" for name in entry.operations]
        if entry.shape.selector is not None:
            operations[entry.mnemonic] = f"{entry.shape.selector.name}_of(word) ? {names[1]} : {names[0]}"
        elif names:
            operations[entry.mnemonic] = names[0]
    out += ["", "  // The operation of the instruction's unit; NO_OPERATION where there is none"]
    return out + _function("unit_operation", code_bits(), operations, "NO_OPERATION", "[31:0] word")


def _address_functions(name: str, what: str, pick: Callable[[Instruction], Access | None]) -> list[str]:
    """Count and address field of an access that some instructions have."""
    found = {entry.mnemonic: access for entry in _legal() if (access := pick(entry)) is not None}
    counts = {n: f"COUNT_{a.count.name}" for n, a in found.items() if a.count is not Count.ONE}
    fields = {n: f"AT_{a.address[0].name.upper()}" for n, a in found.items() if a.address[0] is not RS1}
    out = ["", f"  // {what}: how many"]
    out += _function(f"{name}_count", 4, counts, "COUNT_ONE")
    out += ["", f"  // {what}: where the address is"]
    return out + _function(f"{name}_at", 2, fields, "AT_RS1")


def _row_functions() -> list[str]:
    """VRAM rows: a source a, a source b (in rs2), and a destination (from rd)."""

    def read(entry: Instruction) -> list[Access]:
        return _accesses(entry.shape.reads, Space.VRAM)

    def written(entry: Instruction) -> Access | None:
        return _first(entry.shape.writes, Space.VRAM)

    for entry in _legal():
        found, target = read(entry), written(entry)
        if len(found) > 2 or any(access.address != (RS2,) for access in found[1:]):
            raise ValueError(f"{entry.mnemonic}: the second source row must be at gp[rs2]")
        if target is not None and target.address not in ((RD,), (RD, IMM18)):
            raise ValueError(f"{entry.mnemonic}: rows are written at gp[rd] or gp[rd] + imm18")
    out = _flag_function("Reads VRAM rows: source a", "reads_row_a", lambda e: bool(read(e)))
    out += _address_functions("row_a", "Source a", lambda e: read(e)[0] if read(e) else None)
    out += _flag_function(
        "Reads the VRAM row gp[rs2] too: source b", "reads_row_b", lambda e: len(read(e)) > 1
    )
    out += _flag_function("Writes VRAM rows from gp[rd] on", "writes_rows", lambda e: written(e) is not None)
    counts = {
        entry.mnemonic: f"COUNT_{access.count.name}"
        for entry in _legal()
        if (access := written(entry)) is not None and access.count is not Count.ONE
    }
    out += ["", "  // Rows written: how many", *_function("rows_written_count", 4, counts, "COUNT_ONE")]
    out += _flag_function(
        "Rows written lie gp[rs1] apart, 1 apart when rs1 is 0",
        "rows_written_step",
        lambda e: (access := written(e)) is not None and access.stride is not None,
    )
    out += _flag_function(
        "Rows are written from gp[rd] + imm18 on",
        "rows_written_offset",
        lambda e: (access := written(e)) is not None and IMM18 in access.address,
    )
    return out + _flag_function(
        "Writes BLEN columns of a row, not all of it",
        "rows_written_block",
        lambda e: (access := written(e)) is not None and access.place is Place.BLOCK,
    )


def _tile_functions() -> list[str]:
    """MSRAM: the tile that is read or written, and the offset rule."""

    def tile(entry: Instruction) -> Access | None:
        return _first((*entry.shape.reads, *entry.shape.writes), Space.MSRAM)

    out = _flag_function(
        "Reads an MSRAM tile", "reads_tile", lambda e: _first(e.shape.reads, Space.MSRAM) is not None
    )
    out += _flag_function(
        "Writes an MSRAM tile", "writes_tile", lambda e: _first(e.shape.writes, Space.MSRAM) is not None
    )
    found = {entry.mnemonic: access for entry in _legal() if (access := tile(entry)) is not None}
    fields = {n: f"AT_{a.address[0].name.upper()}" for n, a in found.items() if a.address[0] is not RS1}
    places = {n: f"PLACE_{a.place.name}" for n, a in found.items()}
    out += ["", "  // MSRAM: where the address is", *_function("tile_at", 2, fields, "AT_RS1")]
    return [*out, "", "  // MSRAM: the offset in the tile", *_function("tile_place", 3, places, "PLACE_ROW")]


def _word_functions() -> list[str]:
    """FP_MEM and INT_MEM words."""
    out = []
    for space, name in ((Space.FP_MEM, "fp"), (Space.INT_MEM, "int")):

        def pick(entry: Instruction, space: Space = space) -> Access | None:
            return _first((*entry.shape.reads, *entry.shape.writes), space)

        def reads(entry: Instruction, space: Space = space) -> bool:
            return _first(entry.shape.reads, space) is not None

        def writes(entry: Instruction, space: Space = space) -> bool:
            return _first(entry.shape.writes, space) is not None

        out += _flag_function(f"Reads {space.value}", f"reads_{name}", reads)
        out += _flag_function(f"Writes {space.value}", f"writes_{name}", writes)
        out += _address_functions(f"{name}_words", f"{space.value} words", pick)
    return out


def _register_functions() -> list[str]:
    """f registers as masks, gp[rd], HBM rows."""

    def mask(fields: Iterable[Field]) -> str:
        terms = [f"8'd1 << f_{field.name}_of(word)" for field in fields]
        joined = " | ".join(f"({term})" for term in terms) if len(terms) > 1 else terms[0]
        return f"({joined}) & 8'hFE"

    def fields(accesses: Iterable[Access]) -> list[Field]:
        return [access.address[0] for access in _accesses(accesses, Space.F)]

    out = []
    for name in ("reads", "writes"):
        named = {entry.mnemonic: fields(getattr(entry.shape, name)) for entry in _legal()}
        values = {mnemonic: mask(found) for mnemonic, found in named.items() if found}
        out += ["", f"  // f registers it {name}, a bit each; never f0"]
        out += _function(f"{name}_f", 8, values, "8'd0", "[31:0] word")
    out += _flag_function(
        "The second source of a vector instruction is an f register",
        "vector_f",
        lambda e: e.unit is Unit.V and RS2 in fields(e.shape.reads),
    )
    out += _flag_function(
        "Writes gp[rd]", "writes_gp", lambda e: _first(e.shape.writes, Space.GP) is not None
    )
    hbm = {
        entry.mnemonic: f"COUNT_{access.count.name}"
        for entry in _legal()
        if (access := _first((*entry.shape.reads, *entry.shape.writes), Space.HBM)) is not None
    }
    out += ["", "  // HBM rows; COUNT_ONE for none", *_function("hbm_count", 4, hbm, "COUNT_ONE")]
    first = {
        entry.mnemonic: TRANSFER_CLASSES.index("m0" if _first(entry.shape.writes, Space.MSRAM) else "v0")
        for entry in _legal()
        if entry.mnemonic in hbm
    }
    numbers = {name: f"2'd{number} + {{1'b0, precision_of(word)}}" for name, number in first.items()}
    out += ["", "  // HBM: which bit of HBM_BF16 says how the rows lie"]
    return out + _function("transfer_class", 2, numbers, "2'd0", "[31:0] word")


def _operation_functions() -> list[str]:
    """Which codes are operations of a unit, and what the vector unit must know of its own."""

    def function(name: str, unit: Unit, names: Iterable[str]) -> list[str]:
        lines = [f"  function automatic logic {name}(input logic [UNIT_OP_W-1:0] op);", "    case (op)"]
        lines += [f"      {unit.name}_OP_{operation}: {name} = 1'b1;" for operation in names]
        return [*lines, f"      default: {name} = 1'b0;", "    endcase", "  endfunction"]

    out = []
    for unit, codes in OPERATIONS.items():
        out += ["", f"  // An operation of unit {unit.name}"]
        out += function(f"{unit.name.lower()}_op_legal", unit, codes)

    def users(holds: Callable[[Instruction], bool]) -> list[str]:
        used = {name for e in _legal() if e.unit is Unit.V and holds(e) for name in e.operations}
        return [name for name in OPERATIONS[Unit.V] if name in used]

    def second(entry: Instruction) -> bool:
        return any(a.space in (Space.VRAM, Space.F) and a.address == (RS2,) for a in entry.shape.reads)

    def to(space: Space) -> Callable[[Instruction], bool]:
        return lambda entry: _first(entry.shape.writes, space) is not None

    def row_a(entry: Instruction) -> bool:
        return _first(entry.shape.reads, Space.VRAM) is not None

    for comment, name, holds in (
        ("Vector operation that reads a row", "v_op_row", row_a),
        ("Vector operation with a second source, row or f", "v_op_two_sources", second),
        ("Vector operation that writes f", "v_op_reduction", to(Space.F)),
        ("Vector operation that writes FP_MEM", "v_op_topk", to(Space.FP_MEM)),
    ):
        out += ["", f"  // {comment}", *function(name, Unit.V, users(holds))]
    return out


def package_text() -> str:
    """The text of `rtl/plena_pkg.sv`."""
    head = [
        "// Constants of the PLENA instruction set and control registers, and the decode tables.",
        "// Parameters and combinational functions of the instruction word only: no state, no timing.",
        "// Generated from the tables of plena_ref/isa; specified in docs/isa.md and docs/registers.md.",
        "`timescale 1ns / 1ps",
        "`default_nettype none",
        "",
        "// A file that names one constant sees all of them; each user needs only its own share, and a",
        "// function of the word looks at its own bits.",
        "// verilog_format: off",
        "/* verilator lint_off UNUSEDPARAM */",
        "/* verilator lint_off UNUSEDSIGNAL */",
        "",
        "package plena_pkg;",
        "",
    ]
    tail = [
        "",
        "endpackage",
        "",
        "/* verilator lint_on UNUSEDSIGNAL */",
        "/* verilator lint_on UNUSEDPARAM */",
        "// verilog_format: on",
        "`default_nettype wire",
        "",
    ]
    body = [
        *_constants(),
        *_registers(),
        *_field_functions(),
        *_opcode_functions(),
        *_row_functions(),
        *_tile_functions(),
        *_word_functions(),
        *_register_functions(),
        *_operation_functions(),
    ]
    return "\n".join([*head, *body, *tail])
