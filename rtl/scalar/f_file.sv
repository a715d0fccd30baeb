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

  // The register that each writer writes, one bit; f0 does not count.
  logic [7:0] by_load, by_alu, by_sfu, by_vector;
  assign by_load = load_en ? 8'd1 << load_sel & 8'hFE : 8'd0;
  assign by_alu = alu_en ? 8'd1 << alu_sel & 8'hFE : 8'd0;
  assign by_sfu = sfu_en ? 8'd1 << sfu_sel & 8'hFE : 8'd0;
  assign by_vector = vector_en ? 8'd1 << vector_sel & 8'hFE : 8'd0;
  logic twice;  // a register has two writers
  assign twice = (by_load & (by_alu | by_sfu | by_vector)) != 8'd0 || (by_alu & (by_sfu | by_vector)) != 8'd0 ||
      (by_sfu & by_vector) != 8'd0;
  `PLENA_ASSERT(f_one_writer, !twice, "two results for one f register in one cycle")
endmodule

`default_nettype wire
