"""Generated files match their tables, and the generated SystemVerilog means what the Python table means."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from plena_ref.__main__ import main
from plena_ref.isa import codegen, csr
from plena_ref.isa import instructions as isa
from tb.engine import simulate

GENERATED = ["rtl/plena_pkg.sv", "docs/registers.md", "docs/isa.md"]


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
    bad = {"rtl/plena_pkg.sv": ("6'h34", "6'h35"), "docs/registers.md": ("STATUS", "STATE")}
    old, new = bad.get(path, ("| 34 |", "| 35 |"))
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
    assert codegen.stale() == GENERATED


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
        "CYCLES_HI": 0x05C, "INSTRUCTIONS_LO": 0x060, "INSTRUCTIONS_HI": 0x064, "SCALE": 0x080,
        "STRIDE": 0x084, "V_MASK": 0x088, "GP": 0x100, "F": 0x140, "A_LO": 0x180, "A_HI": 0x184,
        "DISPATCH_LO": 0x200, "DISPATCH_HI": 0x204, "MATRIX_LO": 0x280, "MATRIX_HI": 0x284,
        "VECTOR_LO": 0x300, "VECTOR_HI": 0x304, "FLOAT_LO": 0x380, "FLOAT_HI": 0x384,
        "HBM_LO": 0x400, "HBM_HI": 0x404, "TOTALS_LO": 0x500, "TOTALS_HI": 0x504,
    }  # fmt: skip
    assert csr.REGISTERS["GP"].address(15) == 0x13C
    assert csr.REGISTERS["F"].address(7) == 0x15C
    assert csr.REGISTERS["A_HI"].address(7) == 0x1BC


DECODE_BENCH = """`timescale 1ns / 1ps
module decode_bench;
  logic [6:0] op;
  initial begin
    for (op = 0; op < 64; op = op + 1)
      $display("op %0d %0d %0d %08x", op, plena_pkg::op_legal(op[5:0]), plena_pkg::op_unit(op[5:0]),
               plena_pkg::operand_zero_mask(op[5:0]));
    $display("const %0d %0d %0d %0d", plena_pkg::OP_V_TOPK, plena_pkg::CAUSE_WATCHDOG,
             plena_pkg::IMM22_LSB, plena_pkg::CSR_A_HI);
  end
endmodule
"""


def test_decode_functions_in_simulation(tmp_path: Path) -> None:
    simulate.require("icarus")
    bench = tmp_path / "decode_bench.sv"
    bench.write_text(DECODE_BENCH, encoding="utf-8")
    package = codegen.ROOT / "rtl/plena_pkg.sv"
    image = tmp_path / "bench.vvp"
    subprocess.run(["iverilog", "-g2012", "-Wall", "-o", image, package, bench], check=True, timeout=60)
    out = subprocess.run(["vvp", image], check=True, timeout=60, capture_output=True, text=True).stdout
    rows = {int(row[0]): row[1:] for row in re.findall(r"^op (\d+) (\d+) (\d+) (\w+)$", out, re.MULTILINE)}
    assert sorted(rows) == list(range(64))
    for code, (legal, unit, mask) in rows.items():
        trap = isa.decode_trap(code)
        assert int(legal) == (trap is None), f"op_legal({code:02X})"
        if trap is None:
            entry = isa.BY_OPCODE[code]
            assert int(unit) == entry.unit, f"op_unit({code:02X})"
            assert int(mask, 16) == entry.zero_mask, f"operand_zero_mask({code:02X})"
    assert f"const {0x37} 15 10 {0x184}" in out
