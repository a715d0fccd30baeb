// One bank of vector SRAM: whole rows, one read and one write port, a write enable for every BLEN elements.
// Timing: rd_data in the cycle after rd_en, kept until the next rd_en; a read beside a write of the same row sees the old row.
// Specified in docs/microarchitecture.md, "Memories".
`timescale 1ns / 1ps
`default_nettype none

module vram_bank #(
    parameter int ROW_BITS   = 1024,  // bits of a row
    parameter int BLOCK_BITS = 256,   // bits under one write enable
    parameter int ROWS       = 2048,  // rows of this bank
    parameter int AW         = 11     // bits of a row number in the bank
) (
    input  wire logic                           clk,      // clock
    input  wire logic                           rd_en,    // read
    input  wire logic [                 AW-1:0] rd_addr,  // row read
    output logic      [           ROW_BITS-1:0] rd_data,  // row read, one cycle later
    input  wire logic                           wr_en,    // write
    input  wire logic [                 AW-1:0] wr_addr,  // row written
    input  wire logic [           ROW_BITS-1:0] wr_data,  // row to write
    input  wire logic [ROW_BITS/BLOCK_BITS-1:0] wr_mask   // blocks that are written
);
  localparam int BLOCKS = ROW_BITS / BLOCK_BITS;

  initial begin
    if (BLOCKS * BLOCK_BITS != ROW_BITS)
      $fatal(1, "vram_bank: BLOCK_BITS=%0d must divide ROW_BITS=%0d", BLOCK_BITS, ROW_BITS);
    if (ROWS < 1 || (AW < 31 && ROWS > (1 << AW)))
      $fatal(1, "vram_bank: ROWS=%0d must be positive and fit in AW=%0d bits", ROWS, AW);
  end

  logic [ROW_BITS-1:0] mem[0:ROWS-1];

  always_ff @(posedge clk) begin
    if (rd_en) begin : read
      logic [AW-1:0] row;  // a variable, so that Verilator works out the address once and not for every word of the row
      row = rd_addr;
      rd_data <= mem[row];
    end
    if (wr_en) begin
      for (int b = 0; b < BLOCKS; b++)
      if (wr_mask[b]) mem[wr_addr][b*BLOCK_BITS+:BLOCK_BITS] <= wr_data[b*BLOCK_BITS+:BLOCK_BITS];
    end
  end
endmodule

`default_nettype wire
