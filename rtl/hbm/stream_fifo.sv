// stream_fifo: first-in first-out queue with an output register (one memory of DEPTH words behind it).
// A word appears at the output 2 cycles after it was pushed; one push and one pop a cycle.
// Specified in docs/microarchitecture.md, "HBM unit".
`timescale 1ns / 1ps
`default_nettype none

module stream_fifo #(
    parameter int WIDTH = 8,  // bits of a word
    parameter int DEPTH = 4   // words in the memory; a power of two
) (
    input  wire logic             clk,        // clock
    input  wire logic             rst,        // synchronous reset
    input  wire logic             in_valid,   // a word enters if there is room
    output logic                  in_ready,   // there is room
    input  wire logic [WIDTH-1:0] in_data,    // the word
    output logic                  out_valid,  // out_data is a word
    output logic      [WIDTH-1:0] out_data,   // oldest word
    input  wire logic             out_pop     // take the oldest word; only while out_valid
);
  localparam int AW = $clog2(DEPTH);

  initial begin
    if (DEPTH < 2 || (DEPTH & (DEPTH - 1)) != 0)
      $fatal(1, "stream_fifo: DEPTH=%0d must be a power of two of at least 2", DEPTH);
  end

  logic [WIDTH-1:0] mem[0:DEPTH-1];
  logic [AW:0] wr_ptr_q;
  logic [AW:0] rd_ptr_q;
  logic push;
  logic fetch;

  assign in_ready = (wr_ptr_q ^ rd_ptr_q) != {1'b1, {AW{1'b0}}};
  assign push     = in_valid && in_ready;
  assign fetch    = wr_ptr_q != rd_ptr_q && (!out_valid || out_pop);

  always_ff @(posedge clk) begin
    if (push) begin
      mem[wr_ptr_q[AW-1:0]] <= in_data;
      wr_ptr_q <= wr_ptr_q + 1'b1;
    end
    if (fetch) begin
      out_data <= mem[rd_ptr_q[AW-1:0]];
      rd_ptr_q <= rd_ptr_q + 1'b1;
    end
    if (fetch || out_pop) out_valid <= fetch;
    if (rst) begin
      wr_ptr_q  <= '0;
      rd_ptr_q  <= '0;
      out_valid <= 1'b0;
    end
  end

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(fifo_pop_valid, out_pop, out_valid, "a word is taken that is not there")
  `PLENA_ASSERT_WHEN(fifo_words, push, wr_ptr_q - rd_ptr_q < (AW + 1)'(DEPTH),
                     "a queue holds more words than it has places")
endmodule

`default_nettype wire
