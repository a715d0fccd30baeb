// Integer register file gp0..gp15; gp0 reads 0 and ignores writes.
// Timing: six combinational read ports; writes are seen in the next cycle, of two to one register the second stays.
// Specified in docs/isa.md, "Architectural state".
`timescale 1ns / 1ps
`default_nettype none

module gp_file (
    input  wire logic         clk,      // clock
    input  wire logic         clear,    // set every register to 0 (reset, start)
    input  wire logic [ 23:0] address,  // six registers to read
    output logic      [191:0] data,     // their contents
    input  wire logic         we1,      // first write
    input  wire logic [  3:0] wa1,      // its register
    input  wire logic [ 31:0] wd1,      // its data
    input  wire logic         we2,      // second write
    input  wire logic [  3:0] wa2,      // its register
    input  wire logic [ 31:0] wd2,      // its data
    output logic      [511:0] state     // all registers, gp0 lowest
);
  logic [31:0] regs[0:15];

  for (genvar i = 0; i < 6; i++) begin : g_read
    assign data[i*32+:32] = regs[address[i*4+:4]];
  end

  always_comb for (int i = 0; i < 16; i++) state[i*32+:32] = regs[i];

  always_ff @(posedge clk) begin
    if (clear) for (int i = 0; i < 16; i++) regs[i] <= '0;
    else begin
      if (we1 && wa1 != 4'd0) regs[wa1] <= wd1;
      if (we2 && wa2 != 4'd0) regs[wa2] <= wd2;
    end
  end
endmodule

`default_nettype wire
