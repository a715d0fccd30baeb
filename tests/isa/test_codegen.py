"""Generated files match their tables, and the generated SystemVerilog means what the Python table means."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import pytest

from plena_ref.__main__ import main
from plena_ref.isa import codegen, csr
from plena_ref.isa import instructions as isa
from plena_ref.isa.access import Access, Count, Place, Space
from plena_ref.isa.operations import OPERATIONS, no_operation
from tb.engine import icarus_bench, simulate

GENERATED = [
    "rtl/plena_pkg.sv",
    "docs/registers.md",
    "docs/isa.md",
    "docs/microarchitecture.md",
    "rtl/mx_format.svh",
]


@pytest.fixture
def copied_root(tmp_path: Path) -> Path:
    """A copy of the generated files in their folders."""
    for path in GENERATED:
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(codegen.ROOT / path, target)
    return tmp_path


def test_no_generated_file_is_stale() -> None:
    assert codegen.stale() == [], "run `python -m plena_ref codegen`"
    assert main(["codegen", "--check"]) == 0


@pytest.mark.parametrize("path", GENERATED)
def test_drift_is_found_and_repaired(copied_root: Path, path: str) -> None:
    file = copied_root / path
    good = file.read_text(encoding="utf-8")
    bad = {
        "rtl/plena_pkg.sv": ("6'h34", "6'h35"),
        "rtl/mx_format.svh": ("7'h77", "7'h7E"),
        "docs/registers.md": ("STATUS", "STATE"),
        "docs/isa.md": ("| 34 |", "| 35 |"),
        "docs/microarchitecture.md": ("| V | 13 |", "| V | 14 |"),
    }
    old, new = bad[path]
    assert old in good
    file.write_text(good.replace(old, new), encoding="utf-8")
    assert codegen.stale(copied_root) == [path]
    assert codegen.write(copied_root) == [path]
    assert file.read_text(encoding="utf-8") == good
    assert codegen.stale(copied_root) == []


def test_a_missing_file_is_stale(copied_root: Path) -> None:
    (copied_root / "rtl/plena_pkg.sv").unlink()
    assert codegen.stale(copied_root) == ["rtl/plena_pkg.sv"]


def test_a_changed_table_makes_every_table_file_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = dataclasses.replace(isa.INSTRUCTIONS["C_BREAK"], opcode=0x3F)
    monkeypatch.setattr(isa, "INSTRUCTIONS", {**isa.INSTRUCTIONS, "C_BREAK": moved})
    assert codegen.stale() == ["rtl/plena_pkg.sv", "docs/isa.md"]
    registers = {**csr.REGISTERS, "PC": csr.Register("PC", 0x7FC, csr.Access.RO, "moved")}
    monkeypatch.setattr(csr, "REGISTERS", registers)
    assert codegen.stale() == GENERATED[:3]


def test_replace_block_insists_on_its_markers() -> None:
    text = "a\n<!-- begin t -->\nold\n<!-- end t -->\nb"
    assert codegen.replace_block(text, "t", "new") == "a\n<!-- begin t -->\nnew\n<!-- end t -->\nb"
    for broken in ("", text + text, "<!-- end t --><!-- begin t -->"):
        with pytest.raises(ValueError, match="expected one"):
            codegen.replace_block(broken, "t", "new")


def test_control_registers_do_not_overlap() -> None:
    seen: dict[int, str] = {}
    for register in csr.REGISTERS.values():
        assert register.offset < 1 << csr.ADDRESS_BITS
        for index in range(register.count):
            address = register.address(index)
            assert address % 4 == 0
            assert address not in seen, f"{register.name} and {seen.get(address)} at {address:03X}"
            seen[address] = register.name
        bits = 0
        for field in register.fields:
            mask = ((1 << field.width) - 1) << field.lsb
            assert mask < 1 << csr.DATA_BITS and not bits & mask, f"{register.name}.{field.name}"
            bits |= mask
    with pytest.raises(IndexError):
        csr.REGISTERS["GP"].address(16)


def test_control_register_offsets_are_the_agreed_ones() -> None:
    assert {name: register.offset for name, register in csr.REGISTERS.items()} == {
        "ID": 0x000, "VERSION": 0x004, "CONFIG0": 0x008, "CONFIG1": 0x00C, "VRAM_ELEMS": 0x010,
        "MSRAM_TILES": 0x014, "FP_WORDS": 0x018, "INT_WORDS": 0x01C, "CTRL": 0x020, "STATUS": 0x024,
        "CAUSE": 0x028, "PC": 0x02C, "BASE_LO": 0x030, "BASE_HI": 0x034, "LENGTH": 0x038,
        "RESUME_PC": 0x03C, "LIMIT_LO": 0x040, "LIMIT_HI": 0x044, "WATCHDOG_LO": 0x048,
        "WATCHDOG_HI": 0x04C, "IRQ_ENABLE": 0x050, "IRQ_STATUS": 0x054, "CYCLES_LO": 0x058,
        "CYCLES_HI": 0x05C, "INSTRUCTIONS_LO": 0x060, "INSTRUCTIONS_HI": 0x064, "DRAIN_LIMIT": 0x068,
        "SCALE": 0x080, "STRIDE": 0x084, "V_MASK": 0x088,
        "GP": 0x100, "F": 0x140, "A_LO": 0x180, "A_HI": 0x184,
        "DISPATCH_LO": 0x200, "DISPATCH_HI": 0x204, "MATRIX_LO": 0x280, "MATRIX_HI": 0x284,
        "VECTOR_LO": 0x300, "VECTOR_HI": 0x304, "FLOAT_LO": 0x380, "FLOAT_HI": 0x384,
        "HBM_LO": 0x400, "HBM_HI": 0x404, "TOTALS_LO": 0x500, "TOTALS_HI": 0x504,
    }  # fmt: skip
    assert csr.REGISTERS["GP"].address(15) == 0x13C
    assert csr.REGISTERS["F"].address(7) == 0x15C
    assert csr.REGISTERS["A_HI"].address(7) == 0x1BC


DECODE_BENCH = """`timescale 1ns / 1ps
module decode_bench;
  logic [31:0] words[0:%(count)d];
  logic [31:0] word;
  logic [5:0] op;
  initial begin
    $readmemh("%(file)s", words);
    for (int n = 0; n < %(count)d; n = n + 1) begin
      word = words[n];
      op = plena_pkg::opcode_of(word);
      $display("%(format)s", word, %(values)s);
    end
    $display("const %%0d %%0d %%0d %%0d", plena_pkg::OP_V_TOPK, plena_pkg::CAUSE_WATCHDOG,
             plena_pkg::IMM22_LSB, plena_pkg::CSR_A_HI);
  end
endmodule
"""

#: Functions of the package and what they must give for a word whose instruction is `entry`, by name.
OF_WORD = "unit_operation reads_f writes_f".split()
OF_OPCODE = (
    "op_legal op_unit operand_zero_mask reads_row_a reads_row_b writes_rows row_a_count row_a_at "
    "rows_written_count rows_written_step rows_written_offset rows_written_block reads_tile writes_tile "
    "tile_at tile_place reads_fp writes_fp fp_words_count fp_words_at reads_int writes_int int_words_count "
    "int_words_at writes_gp hbm_count vector_f"
).split()


def number_of(access: Access | None) -> int:
    return 0 if access is None else list(Count).index(access.count)


def address_of(access: Access | None) -> int:
    return 1 if access is None else [isa.RD, isa.RS1, isa.RS2].index(access.address[0])


def f_mask(accesses: tuple[Access, ...], word: int) -> int:
    named = [access.address[0].get(word) % 8 for access in accesses if access.space is Space.F]
    return sum(1 << f for f in set(named)) & 0xFE


def wanted(word: int) -> dict[str, int]:
    """What the table says of a word, by function."""
    entry = isa.BY_OPCODE.get(isa.opcode(word))
    if entry is None or not entry.legal:
        nothing = dict.fromkeys([*OF_WORD, *OF_OPCODE], 0)
        defaults = {"unit_operation": no_operation(), "op_unit": 1, "operand_zero_mask": 0xFFFFFFC0}
        return nothing | defaults | dict.fromkeys(("row_a_at", "tile_at", "fp_words_at", "int_words_at"), 1)
    reads, writes = entry.shape.reads, entry.shape.writes

    def of(space: Space, accesses: tuple[Access, ...]) -> list[Access]:
        return [access for access in accesses if access.space is space]

    def any_of(space: Space) -> Access | None:
        return next(iter(of(space, reads + writes)), None)

    rows, written = of(Space.VRAM, reads), next(iter(of(Space.VRAM, writes)), None)
    tile, fp, integer = any_of(Space.MSRAM), any_of(Space.FP_MEM), any_of(Space.INT_MEM)
    flags = [operand.field.get(word) & 1 for operand in entry.encoded if operand is entry.shape.selector]
    codes = [OPERATIONS[entry.unit][name] for name in entry.operations]
    return {
        "unit_operation": codes[flags[0] if flags else 0] if codes else no_operation(),
        "reads_f": f_mask(reads, word),
        "writes_f": f_mask(writes, word),
        "op_legal": 1,
        "op_unit": entry.unit.value,
        "operand_zero_mask": entry.zero_mask,
        "reads_row_a": len(rows) > 0,
        "reads_row_b": len(rows) > 1,
        "writes_rows": written is not None,
        "row_a_count": number_of(rows[0] if rows else None),
        "row_a_at": address_of(rows[0] if rows else None),
        "rows_written_count": number_of(written),
        "rows_written_step": written is not None and written.stride is not None,
        "rows_written_offset": written is not None and isa.IMM18 in written.address,
        "rows_written_block": written is not None and written.place is Place.BLOCK,
        "reads_tile": bool(of(Space.MSRAM, reads)),
        "writes_tile": bool(of(Space.MSRAM, writes)),
        "tile_at": address_of(tile),
        "tile_place": 0 if tile is None else list(Place).index(tile.place),
        "reads_fp": bool(of(Space.FP_MEM, reads)),
        "writes_fp": bool(of(Space.FP_MEM, writes)),
        "fp_words_count": number_of(fp),
        "fp_words_at": address_of(fp),
        "reads_int": bool(of(Space.INT_MEM, reads)),
        "writes_int": bool(of(Space.INT_MEM, writes)),
        "int_words_count": number_of(integer),
        "int_words_at": address_of(integer),
        "writes_gp": bool(of(Space.GP, writes)),
        "hbm_count": number_of(any_of(Space.HBM)),
        "vector_f": entry.unit is isa.Unit.V and any(a.address == (isa.RS2,) for a in of(Space.F, reads)),
    }


def test_decode_functions_in_simulation(tmp_path: Path) -> None:
    """Every function of the generated package, for every opcode with several operand bits."""
    simulate.require("icarus")
    bits = (0, 0xFFFFFFC0, 0x00440080, 0x00401240, 0x00040C80, 0xA5A5A580)
    words = [opcode | operand for opcode in range(64) for operand in bits]
    (tmp_path / "words.hex").write_text("\n".join(f"{word:08x}" for word in words) + "\n", encoding="utf-8")
    values = [f"plena_pkg::{name}(word)" for name in OF_WORD] + [
        f"plena_pkg::{name}(op)" for name in OF_OPCODE
    ]
    text = DECODE_BENCH % {
        "count": len(words),
        "file": tmp_path / "words.hex",
        "format": "word %08x" + " %0d" * len(values),
        "values": ",\n               ".join(values),
    }
    (tmp_path / "decode_bench.sv").write_text(text, encoding="utf-8")
    sources = [codegen.ROOT / "rtl/plena_pkg.sv", tmp_path / "decode_bench.sv"]
    out = icarus_bench.run("decode_bench", sources, "-Wall").printed
    rows = re.findall(r"^word (\w+) (.*)$", out, re.MULTILINE)
    assert [int(word, 16) for word, _ in rows] == words
    for text_word, numbers in rows:
        word = int(text_word, 16)
        got = dict(zip([*OF_WORD, *OF_OPCODE], map(int, numbers.split()), strict=True))
        assert got == wanted(word), f"word {word:08X}"
    assert f"const {0x37} 15 10 {0x184}" in out
