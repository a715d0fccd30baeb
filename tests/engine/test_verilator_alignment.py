"""Wide variables of a Verilator model begin at cache lines: in the C++ of Verilator as it is installed."""

from __future__ import annotations

from pathlib import Path

from tb.engine import tools, verilator_alignment
from tb.engine.model import Options
from tb.engine.verilator import Verilator

_MODULE = """module narrow_and_wide (
    input logic clk,
    input logic [2047:0] in,
    output logic [2047:0] out
);
  logic [2047:0] bank[4];
  logic [2047:0] last;
  logic [511:0] narrow;
  logic [1:0] place;
  always_ff @(posedge clk) begin
    place <= place + 2'd1;
    bank[place] <= in ^ {4{narrow}};
    narrow <= bank[place][511:0];
    last <= bank[place];
    out <= last;
  end
endmodule
"""


def test_wide_variables_begin_at_cache_lines(tmp_path: Path) -> None:
    one, options = Verilator(), Options("narrow_and_wide", {}, (), {}, (), False, False, ())
    (tmp_path / "narrow_and_wide.sv").write_text(_MODULE)
    tool = one.find()
    line = [*tool.command, *one.arguments(options), "-Mdir", ".", "narrow_and_wide.sv"]
    tools.execute(line, "verilator", dict(tool.environment), tmp_path)
    headers = sorted(tmp_path.glob("Vtop*.h"))
    before = {header: header.read_text() for header in headers}
    count = verilator_alignment.align(tmp_path)
    after = {header: header.read_text() for header in headers}
    assert all(after[header].replace("alignas(64) ", "") == before[header] for header in headers)
    aligned = [line for text in after.values() for line in text.splitlines() if "alignas(64)" in line]
    assert count == len(aligned)
    assert any(line.endswith("__DOT__bank;") for line in aligned), aligned
    assert any(line.endswith("__DOT__last;") for line in aligned), aligned
    assert not any(line.endswith("__DOT__narrow;") for line in aligned), aligned
