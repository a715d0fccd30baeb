// Pass walk: which operand pair of a product is fetched next.
// Timing: the position follows registered state and moves on at the edge of `fetched`.
// Specified in docs/microarchitecture.md, "Matrix unit".
`timescale 1ns / 1ps
`default_nettype none

module pass_walk #(
    parameter int MLEN  = 64,  // edge of a tile
    parameter int BLEN  = 16,  // pairs of a pass
    parameter int HEADS = 1    // heads whose taps share a mini-array
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    input wire logic fetched,  // the pair is fetched
    input wire logic per_head,  // the product is per head: passes for each block of rows and columns, and head
    input wire logic single,  // it has one row
    output logic [$clog2(BLEN)-1:0] index,  // number of the pair in its pass
    output logic [$clog2(MLEN)-1:0] row,  // first row of the pass
    output logic [$clog2(MLEN)-1:0] column,  // first column of the pass
    output logic [$clog2(MLEN)-1:0] part,  // head of each mini-array
    output logic last  // it is the last pair of the product
);
  localparam int LM = $clog2(MLEN);
  localparam int LB = $clog2(BLEN);
  localparam logic [LM-1:0] LAST_BLOCK = LM'(MLEN - BLEN);

  // A product is fetched in passes of BLEN pairs: one pass, or for the per-head products one for each block of BLEN rows
  // (but one row only in M_BMV and M_BTMV), in each block of BLEN columns, for each of the heads that share a mini-array.
  logic [LB-1:0] index_q;
  logic [LM-1:0] row_q, column_q, part_q;
  logic pass_last, rows_last;
  assign {index, row, column, part} = {index_q, row_q, column_q, part_q};
  assign pass_last = index_q == LB'(BLEN - 1);
  assign rows_last = single || row_q == LAST_BLOCK;
  assign last = pass_last && (!per_head || (rows_last && column_q == LAST_BLOCK && part_q == LM'(HEADS - 1)));

  always_ff @(posedge clk) begin
    if (rst) begin
      index_q <= '0;
      row_q <= '0;
      column_q <= '0;
      part_q <= '0;
    end else if (fetched) begin
      index_q <= index_q + 1'b1;
      if (pass_last && per_head) begin
        if (!single) row_q <= row_q + LM'(BLEN);
        if (rows_last) begin
          column_q <= column_q + LM'(BLEN);
          if (column_q == LAST_BLOCK) part_q <= (part_q == LM'(HEADS - 1)) ? '0 : part_q + 1'b1;
        end
      end
    end
  end
endmodule

`default_nettype wire
