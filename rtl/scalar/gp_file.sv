// Integer register file gp0..gp15; gp0 reads 0 and ignores writes.
// Timing: three combinational read ports; a write is seen in the next cycle.
// Specified in docs/isa.md, "Architectural state".
`timescale 1ns / 1ps
`default_nettype none

module gp_file (
    input  wire logic         clk,    // clock
    input  wire logic         clear,  // set every register to 0 (reset, start)
    input  wire logic [  3:0] ra,     // read address a
    input  wire logic [  3:0] rb,     // read address b
    input  wire logic [  3:0] rc,     // read address c
    output logic      [ 31:0] da,     // register ra
    output logic      [ 31:0] db,     // register rb
    output logic      [ 31:0] dc,     // register rc
    input  wire logic         we,     // write
    input  wire logic [  3:0] wa,     // write address
    input  wire logic [ 31:0] wd,     // write data
    output logic      [511:0] state   // all registers, gp0 lowest
);
  logic [31:0] regs[0:15];
  assign da = regs[ra];
  assign db = regs[rb];
  assign dc = regs[rc];

  always_comb for (int i = 0; i < 16; i++) state[i*32+:32] = regs[i];

  always_ff @(posedge clk) begin
    if (clear) for (int i = 0; i < 16; i++) regs[i] <= '0;
    else if (we && wa != 4'd0) regs[wa] <= wd;
  end
endmodule

`default_nettype wire
