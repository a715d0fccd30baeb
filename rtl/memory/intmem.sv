// INT_MEM: 32-bit words, one read and one write port for dispatch.
// Timing: rd_data in the cycle after rd_en, kept until the next rd_en; a read beside a write of the same word sees the old word.
// Specified in docs/microarchitecture.md, "Memories".
`timescale 1ns / 1ps
`default_nettype none

module intmem #(
    parameter int INT_WORDS = 1024,              // words
    parameter int IAW       = $clog2(INT_WORDS)  // bits of a word number
) (
    input  wire logic           clk,      // clock
    input  wire logic           rd_en,    // read
    input  wire logic [IAW-1:0] rd_addr,  // word read
    output logic      [   31:0] rd_data,  // word read, one cycle later
    input  wire logic           wr_en,    // write
    input  wire logic [IAW-1:0] wr_addr,  // word written
    input  wire logic [   31:0] wr_data   // word to write
);
  initial
    if (INT_WORDS < 2 || IAW != $clog2(INT_WORDS))
      $fatal(1, "intmem: INT_WORDS=%0d must be at least 2 and IAW=%0d its log2", INT_WORDS, IAW);

  logic [31:0] mem[0:INT_WORDS-1];

  always_ff @(posedge clk) begin
    if (rd_en) rd_data <= mem[rd_addr];
    if (wr_en) mem[wr_addr] <= wr_data;
  end
endmodule

`default_nettype wire
