"""Synthesis: small designs through Yosys, what breaks a rule, and the numbers read from its output."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import synth

CHAIN = """
module chain (input wire clk, input wire [7:0] x, output logic [7:0] q, output logic odd);
  logic [7:0] r;
  always_ff @(posedge clk) begin
    r <= x;
    q <= r;
  end
  assign odd = ^r;
endmodule
"""
ARRAYS = """
module arrays #(parameter int WORDS = 32) (input wire clk, input wire we, input wire [5:0] address,
  input wire [7:0] data, output logic [7:0] q);
  logic [7:0] store[0:WORDS-1];
  always_ff @(posedge clk) begin
    if (we) store[address[$clog2(WORDS)-1:0]] <= data;
    q <= store[address[$clog2(WORDS)-1:0]];
  end
endmodule
"""
LATCH = """
module latch (input wire open, input wire d, output logic q);
  always_latch if (open) q = d;
endmodule
"""
LOOP = """
module half (input wire x, input wire y, output wire z);
  assign z = x & ~y;
endmodule
module loop (input wire x, output wire z);
  wire back;
  half u_a (.x(x), .y(back), .z(z));
  half u_b (.x(z), .y(x), .z(back));
endmodule
"""


def _map(text: str, top: str, tmp_path: Path, **parameters: int) -> synth.Mapped:
    source = tmp_path / f"{top}.sv"
    source.write_text(text)
    modules = synth.elaborate([source], top, parameters, tmp_path / "synth")
    return synth.map_module(top, next(name for name in modules if top in name), modules, tmp_path / "synth")


def test_cells_and_levels_of_a_known_circuit(tmp_path: Path) -> None:
    """Sixteen flip-flops and the seven gates of a parity, which are at most seven and at least three deep."""
    chain = _map(CHAIN, "chain", tmp_path)
    assert (chain.cells, chain.flip_flops, chain.memory_bits) == (16 + 7, 16, 0)
    assert 3 <= chain.levels <= 7
    assert (chain.start.split("[")[0], chain.end.split("[")[0]) == ("r", "odd")


def test_an_array_of_32_words_is_a_memory(tmp_path: Path) -> None:
    """Its bits are no cells; half as many words are flip-flops."""
    memory = _map(ARRAYS, "arrays", tmp_path)
    assert memory.memory_bits == 32 * 8 and memory.flip_flops < 32
    flip_flops = _map(ARRAYS, "arrays", tmp_path, WORDS=16)
    assert flip_flops.memory_bits == 0 and flip_flops.flip_flops == 16 * 8 + 8


@pytest.mark.parametrize(
    ("text", "top", "complaint"),
    [(LATCH, "latch", "Latch inferred for signal"), (LOOP, "loop", "logic loop")],
)
def test_latches_and_loops_are_refused(text: str, top: str, complaint: str, tmp_path: Path) -> None:
    """Also a loop that closes only through two modules; nothing half-finished stays."""
    with pytest.raises(synth.SynthesisError, match=complaint):
        _map(text, top, tmp_path)
    assert not list((tmp_path / "synth").iterdir())


def test_a_step_runs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time comes from the cache; another parameter is another step."""
    first = _map(ARRAYS, "arrays", tmp_path)
    monkeypatch.setattr(synth.processes, "captured", None)
    assert _map(ARRAYS, "arrays", tmp_path) == first
    with pytest.raises(TypeError):
        _map(ARRAYS, "arrays", tmp_path, WORDS=64)


def test_output_without_a_path_is_an_error() -> None:
    with pytest.raises(synth.SynthesisError, match="no path"):
        synth.read_path("Executing LTP pass\n")
