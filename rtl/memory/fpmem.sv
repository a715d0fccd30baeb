// FP_MEM: bf16 words in rows of MLEN, even and odd rows in two banks, so that any MLEN consecutive words come at once.
// Timing: both reads answer one cycle after they are taken and keep it until the next; the wide read is always taken, the scalar one waits for it.
// Specified in docs/microarchitecture.md, "Memories".
`timescale 1ns / 1ps
`default_nettype none

module fpmem #(
    parameter int MLEN     = 64,               // words of a row
    parameter int FP_WORDS = 1024,             // words, a multiple of 2*MLEN
    parameter int FAW      = $clog2(FP_WORDS)  // bits of a word number
) (
    input  wire logic               clk,        // clock
    // scalar read
    input  wire logic               s_rd_en,    // request
    input  wire logic [    FAW-1:0] s_rd_addr,  // word
    output logic                    s_rd_gnt,   // taken
    output logic      [       15:0] s_rd_data,  // word, one cycle later
    // wide read
    input  wire logic               w_rd_en,    // read
    input  wire logic [    FAW-1:0] w_rd_addr,  // first word
    output logic      [MLEN*16-1:0] w_rd_data,  // MLEN words, one cycle later
    // write
    input  wire logic               wr_en,      // write
    input  wire logic [    FAW-1:0] wr_addr,    // word
    input  wire logic [       15:0] wr_data     // its value
);
  localparam int LM = $clog2(MLEN);
  localparam int W = MLEN * 16;
  localparam int DEPTH = FP_WORDS / (2 * MLEN);
  localparam int AW = (DEPTH > 1) ? $clog2(DEPTH) : 1;

  initial begin
    if (MLEN < 8 || (MLEN & (MLEN - 1)) != 0)
      $fatal(1, "fpmem: MLEN=%0d must be a power of two of at least 8", MLEN);
    if (FP_WORDS < 2 * MLEN || FP_WORDS % (2 * MLEN) != 0)
      $fatal(1, "fpmem: FP_WORDS=%0d must be a multiple of 2*MLEN=%0d", FP_WORDS, 2 * MLEN);
    if (FAW != $clog2(FP_WORDS))
      $fatal(1, "fpmem: FAW=%0d must be log2 of FP_WORDS=%0d", FAW, FP_WORDS);
  end

  logic [W-1:0] mem_even[0:DEPTH-1];
  logic [W-1:0] mem_odd [0:DEPTH-1];

  // Index of the row that holds a word, or of the next row, within its bank.
  function automatic logic [AW-1:0] pair_of(input logic [FAW-1:0] addr);
    pair_of = AW'(addr >> (LM + 1));
  endfunction

  logic           rd_en;
  logic [FAW-1:0] rd_addr;
  logic [ AW-1:0] even_addr;
  logic [ AW-1:0] odd_addr;
  assign s_rd_gnt  = s_rd_en && !w_rd_en;
  assign rd_en     = s_rd_en || w_rd_en;
  assign rd_addr   = w_rd_en ? w_rd_addr : s_rd_addr;
  assign odd_addr  = pair_of(rd_addr);
  assign even_addr = (rd_addr[LM] && odd_addr != AW'(DEPTH - 1)) ? odd_addr + 1'b1 : odd_addr;

  logic [W-1:0] even_q;
  logic [W-1:0] odd_q;
  logic [ LM:0] turn_q;

  always_ff @(posedge clk) begin
    if (rd_en) begin
      even_q <= mem_even[even_addr];
      odd_q  <= mem_odd[odd_addr];
      turn_q <= rd_addr[LM:0];
    end
    if (wr_en) begin
      if (wr_addr[LM]) mem_odd[pair_of(wr_addr)][{wr_addr[LM-1:0], 4'd0}+:16] <= wr_data;
      else mem_even[pair_of(wr_addr)][{wr_addr[LM-1:0], 4'd0}+:16] <= wr_data;
    end
  end

  assign w_rd_data = W'((turn_q[LM] ? {even_q, odd_q} : {odd_q, even_q}) >> {turn_q[LM-1:0], 4'd0});
  assign s_rd_data = w_rd_data[15:0];
endmodule

`default_nettype wire
