// Matrix SRAM: MLEN x MLEN tiles in MLEN diagonal banks, so that a row or a column comes from one copy in one cycle.
// Timing: read data in the cycle after rd_en, kept until the next rd_en; writes of rows are always accepted, beside a read.
// Specified in docs/microarchitecture.md, "Memories".
`timescale 1ns / 1ps
`default_nettype none

module msram #(
    parameter int MLEN = 64,  // edge of a tile
    parameter int MSRAM_TILES = 64,  // tiles
    parameter int TW = (MSRAM_TILES > 1) ? $clog2(MSRAM_TILES) : 1  // bits of a tile number
) (
    input  wire logic                    clk,      // clock
    // read
    input  wire logic                    rd_en,    // read
    input  wire logic                    rd_col,   // 0: a row of the tile, 1: a column
    input  wire logic [          TW-1:0] rd_tile,  // tile
    input  wire logic [$clog2(MLEN)-1:0] rd_idx,   // row or column number
    output logic      [     MLEN*16-1:0] rd_data,  // elements of the row or column, one cycle later
    // write
    input  wire logic                    wr_en,    // write a row
    input  wire logic [          TW-1:0] wr_tile,  // tile
    input  wire logic [$clog2(MLEN)-1:0] wr_idx,   // row number
    input  wire logic [     MLEN*16-1:0] wr_data   // elements of the row
);
  localparam int LM = $clog2(MLEN);
  localparam int W = MLEN * 16;
  localparam int AW = $clog2(MSRAM_TILES * MLEN);

  initial begin
    if (MLEN < 8 || (MLEN & (MLEN - 1)) != 0)
      $fatal(1, "msram: MLEN=%0d must be a power of two of at least 8", MLEN);
    if (MSRAM_TILES < 1 || TW < 1 || (TW < 31 && MSRAM_TILES > (1 << TW)))
      $fatal(1, "msram: MSRAM_TILES=%0d must be positive and fit in TW=%0d bits", MSRAM_TILES, TW);
  end

  // Element (r, c) lies in bank (r + c) mod MLEN, word tile*MLEN + r. Bank b therefore holds element b - idx of the
  // row or column idx: the same rotation for rows, for columns, and for the row that is written.
  logic [LM-1:0] turn_q;
  logic [ W-1:0] bank_q;
  logic [ W-1:0] bank_d;

  always_ff @(posedge clk) if (rd_en) turn_q <= rd_idx;

  always_comb begin
    rd_data = W'({bank_q, bank_q} >> {turn_q, 4'd0});
    bank_d  = W'(({wr_data, wr_data} << {wr_idx, 4'd0}) >> W);
  end

  for (genvar i = 0; i < MLEN; i++) begin : g_bank
    logic [LM-1:0] rd_row;
    assign rd_row = rd_col ? LM'(i) - rd_idx : rd_idx;
    ram_1r1w #(
        .WIDTH(16),
        .WORDS(MSRAM_TILES * MLEN),
        .AW(AW)
    ) u_bank (
        .clk(clk),
        .rd_en(rd_en),
        .rd_addr(AW'({rd_tile, rd_row})),
        .rd_data(bank_q[i*16+:16]),
        .wr_en(wr_en),
        .wr_addr(AW'({wr_tile, wr_idx})),
        .wr_data(bank_d[i*16+:16])
    );
  end
endmodule

`default_nettype wire
