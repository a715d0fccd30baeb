// A memory of one read and one write port: INT_MEM, the banks of matrix SRAM and those of the per-head sums.
// Timing: rd_data in the cycle after rd_en, kept until the next rd_en; a read beside a write of the same word sees the old word.
// Specified in docs/microarchitecture.md, "Memories" and "Matrix unit".
`timescale 1ns / 1ps
`default_nettype none

module ram_1r1w #(
    parameter int WIDTH = 32,            // bits of a word
    parameter int WORDS = 1024,          // words
    parameter int AW    = $clog2(WORDS)  // bits of a word number
) (
    input  wire logic             clk,      // clock
    input  wire logic             rd_en,    // read
    input  wire logic [   AW-1:0] rd_addr,  // word read
    output logic      [WIDTH-1:0] rd_data,  // word read, one cycle later
    input  wire logic             wr_en,    // write
    input  wire logic [   AW-1:0] wr_addr,  // word written
    input  wire logic [WIDTH-1:0] wr_data   // word to write
);
  initial
    if (WORDS < 1 || (AW < 31 && WORDS > (1 << AW)))
      $fatal(1, "ram_1r1w: WORDS=%0d must be positive and fit in AW=%0d bits", WORDS, AW);

  logic [WIDTH-1:0] mem[0:WORDS-1];

  always_ff @(posedge clk) begin
    if (rd_en) rd_data <= mem[rd_addr];
    if (wr_en) mem[wr_addr] <= wr_data;
  end
endmodule

`default_nettype wire
