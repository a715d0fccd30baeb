// Float register file f1..f7 (f0 reads 0, writes to it are dropped) with a write port for each producer.
// Timing: `state` shows what is written in this cycle at once (forwarded).
// Specified in docs/isa.md, "Architectural state"; docs/microarchitecture.md, "Float unit".
`timescale 1ns / 1ps
`default_nettype none

module f_file (
    input  wire logic         clk,          // clock
    input  wire logic         rst,          // synchronous reset: all registers 0
    input  wire logic         init,         // start of a program: all registers 0
    input  wire logic         load_en,      // an FP_MEM word arrives
    input  wire logic [  2:0] load_sel,     // its register
    input  wire logic [ 15:0] load_data,    // the word
    input  wire logic         alu_en,       // result of add, subtract, maximum, multiply
    input  wire logic [  2:0] alu_sel,      // its register
    input  wire logic [ 15:0] alu_data,     // the result
    input  wire logic         sfu_en,       // result of a special function
    input  wire logic [  2:0] sfu_sel,      // its register
    input  wire logic [ 15:0] sfu_data,     // the result
    input  wire logic         vector_en,    // result of a reduction
    input  wire logic [  2:0] vector_sel,   // its register
    input  wire logic [ 15:0] vector_data,  // the result
    output logic      [127:0] state         // all registers, f0 lowest
);
  logic [127:16] held_q;

  // The order is free: see f_one_writer, which the scoreboard ensures.
  always_comb begin
    state = {held_q, 16'd0};
    if (load_en && load_sel != 3'd0) state[load_sel*16+:16] = load_data;
    if (alu_en && alu_sel != 3'd0) state[alu_sel*16+:16] = alu_data;
    if (sfu_en && sfu_sel != 3'd0) state[sfu_sel*16+:16] = sfu_data;
    if (vector_en && vector_sel != 3'd0) state[vector_sel*16+:16] = vector_data;
  end

  always_ff @(posedge clk) begin
    if (rst || init) held_q <= '0;
    else held_q <= state[127:16];
  end

  `PLENA_ASSERT_RESET(rst)

  // Whether two of the writers write, and whether two of those that write have the same register; f0 does not count.
  logic several, twice;
  assign several = 3'(load_en) + 3'(alu_en) + 3'(sfu_en) + 3'(vector_en) > 3'd1;
  assign twice = (load_en && alu_en && load_sel == alu_sel && load_sel != 3'd0) ||
      (load_en && sfu_en && load_sel == sfu_sel && load_sel != 3'd0) ||
      (load_en && vector_en && load_sel == vector_sel && load_sel != 3'd0) ||
      (alu_en && sfu_en && alu_sel == sfu_sel && alu_sel != 3'd0) ||
      (alu_en && vector_en && alu_sel == vector_sel && alu_sel != 3'd0) ||
      (sfu_en && vector_en && sfu_sel == vector_sel && sfu_sel != 3'd0);
  `PLENA_ASSERT_WHEN(f_one_writer, several, !twice, "two results for one f register in one cycle")
endmodule

`default_nettype wire
