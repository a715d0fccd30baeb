// Which cycles are in the waves: from a place in the first program of a simulation to another. A place is a cycle of the
// run, or a pc: the cycle in which that instruction first retires. Both are part of the waves; +waves=1 alone takes all.
// The window follows its inputs in the same time step. Specified in docs/waves.md, "A part of a run".
`timescale 1ns / 1ps
`default_nettype none

module wave_window (
    input wire        clk,    // clock of the core
    input wire        rst,    // reset of the core, in which nothing counts
    input wire [31:0] cycle,  // cycle of the run
    input wire [ 1:0] valid,  // instructions that retire in this cycle, the first in bit 0
    input wire [31:0] pc      // program counter of the first; that of the second is one more
);
  int waves;  // whether there are any
  int
      from_cycle = -1,
      from_pc = -1,
      to_cycle = -1,
      to_pc = -1;  // the places; -1 where there is none
  bit opened = 1'b0, closed = 1'b0;  // before this cycle

  wire [31:0] second = pc + 32'd1;
  wire starts = (from_cycle >= 0 && cycle >= 32'(from_cycle)) || (from_pc >= 0 && valid[0] && pc == 32'(from_pc)) ||
      (from_pc >= 0 && valid[1] && second == 32'(from_pc));
  wire ends = (to_cycle >= 0 && cycle >= 32'(to_cycle)) || (to_pc >= 0 && valid[0] && pc == 32'(to_pc)) ||
      (to_pc >= 0 && valid[1] && second == 32'(to_pc));
  wire on = (opened || (!rst && starts === 1'b1)) && !closed;  // this cycle is in the waves

  always @(posedge clk) begin
    if (on) opened <= 1'b1;
    if (on && !rst && ends === 1'b1) closed <= 1'b1;
  end

`ifdef VERILATOR
  import "DPI-C" function void plena_waves(input bit on);  // tb/engine/main.cpp
  always @(on) plena_waves(on);
`else
  bit begun = 1'b0;  // the file is there
  always @(on)
    if (on && begun) $dumpon;
    else if (on) begin
      begun = 1'b1;
      $dumpfile("dump.fst");
      $dumpvars(0, plena_tb);
    end else if (begun) $dumpoff;
`endif

  initial begin
    if (!$value$plusargs("waves_from_cycle=%d", from_cycle)) from_cycle = -1;
    if (!$value$plusargs("waves_from_pc=%d", from_pc)) from_pc = -1;
    if (!$value$plusargs("waves_to_cycle=%d", to_cycle)) to_cycle = -1;
    if (!$value$plusargs("waves_to_pc=%d", to_pc)) to_pc = -1;
    if (!$value$plusargs("waves=%d", waves)) closed = 1'b1;
    if (from_cycle < 0 && from_pc < 0) opened = 1'b1;
`ifdef VERILATOR
    plena_waves(opened && !closed);
`endif
  end
endmodule
`default_nettype wire
