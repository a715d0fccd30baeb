"""The RTL follows the tables: no literal codes or slices, and every operation of a unit is done somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plena_ref.isa import instructions as isa
from plena_ref.isa.codegen import ROOT
from plena_ref.isa.operations import OPERATIONS
from tests.isa.rtl_literals import in_text, in_tree


def test_no_literal_code_or_slice() -> None:
    assert [str(finding) for finding in in_tree(ROOT)] == []


@pytest.mark.parametrize(
    "line",
    [
        "assign rd = instr[9:6];",
        "assign masked = first_word[18];",
        "if (opcode == 6'h0D) x = 1;",
        "assign is_topk = push_op >= 4'd12;",
        "assign is_store = unit_op == 2;",
        "assign wide = op[0];",
        "assign write_out = q_op[head][1];",
        "localparam logic [3:0] RED_MAX = 4'd11;",
        "localparam logic [3:0] V_OP_ABS = 4'd14;",
        "      6'h34: stops = 1'b1;",
        "assign logits = wide_q ? 8'd128 : 8'd32;",
    ],
)
def test_a_literal_is_found(line: str) -> None:
    (finding, *_) = in_text(f"module m;\n  {line}\nendmodule\n", "rtl/m.sv")
    assert str(finding).startswith("rtl/m.sv:2: ")


@pytest.mark.parametrize(
    "line",
    [
        "assign rd = plena_pkg::rd_of(instr);",
        "q_op[tail] <= push_op;",
        "if (push) op <= 4'd0;",
        "assign is_map = op == plena_pkg::V_OP_MAP;",
        "assign x = word[FAW-1:0];  // instr[9:6]",
        "localparam logic [15:0] BF16_NAN = 16'h7fc0;",
    ],
)
def test_what_is_no_literal(line: str) -> None:
    assert in_text(line, "rtl/m.sv") == []


def sources(folder: str) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / folder).rglob("*.sv")))


#: Where the operations of a unit are done. Those of the matrix unit are four bits, each looked at by name.
FOLDERS = {isa.Unit.V: "rtl/vector", isa.Unit.F: "rtl/scalar"}


@pytest.mark.parametrize("unit", FOLDERS, ids=lambda unit: unit.name)
def test_every_operation_is_done(unit: isa.Unit) -> None:
    text = re.sub(r"//.*", "", sources(FOLDERS[unit]))
    for name in OPERATIONS[unit]:
        users = [e.mnemonic for e in isa.INSTRUCTIONS.values() if e.unit is unit and name in e.operations]
        constant = f"{unit.name}_OP_{name}"
        # TOPK_4 and RED_SUM are what the sort and the tree do unless they are told otherwise.
        named = re.search(rf"\bplena_pkg::{constant}\b", text) or name == "TOPK_4"
        assert named, f"nothing in {FOLDERS[unit]} does {constant} ({', '.join(users)})"


def prose() -> str:
    """Sections 5 to 8 of docs/isa.md: what instructions mean."""
    text = (ROOT / "docs/isa.md").read_text(encoding="utf-8")
    return text[text.index("\n## 5.") : text.index("\n## 9.")]


def test_every_instruction_is_specified() -> None:
    specified = set(re.findall(r"\b[A-Z]+_[A-Z0-9_]+\b", " ".join(re.findall(r"\*\*(.+?)\*\*", prose()))))
    for entry in isa.INSTRUCTIONS.values():
        if entry.legal:
            assert entry.mnemonic in specified, f"docs/isa.md does not specify {entry.mnemonic}"


def test_paths_of_the_tables_exist() -> None:
    """What the generated package calls its sources is there."""
    for path in re.findall(r"plena_ref/\w+(?:/\w+)*(?:\.py)?", (ROOT / "rtl/plena_pkg.sv").read_text()):
        assert (Path(ROOT) / path).exists(), path
