// Vector SRAM: 8 banks of whole rows behind 4 read ports and 3 write ports, an arbiter for each bank and direction.
// Timing: read data in the cycle after the grant, that cycle only; a write granted in t is seen by a read granted in t+1.
// Specified in docs/microarchitecture.md, "Memories"; addressing of rows in docs/isa.md, "Architectural state".
`timescale 1ns / 1ps
`default_nettype none

module vram #(
    parameter int MLEN       = 64,                        // elements of a row
    parameter int BLEN       = 16,                        // elements under one write enable
    parameter int VRAM_ELEMS = 1048576,                   // elements of the whole memory
    parameter int VRW        = $clog2(VRAM_ELEMS / MLEN)  // bits of a row number
) (
    input  wire logic                     clk,      // clock
    input  wire logic                     rst,      // synchronous reset
    // read ports: 0 matrix, 1 vector A, 2 vector B, 3 store
    input  wire logic [              3:0] rd_req,   // requests
    input  wire logic [        4*VRW-1:0] rd_row,   // rows to read
    output logic      [              3:0] rd_gnt,   // taken
    output logic      [    4*MLEN*16-1:0] rd_data,  // rows, in the cycle after the grant
    // write ports: 0 matrix write-out, 1 vector, 2 DMA
    input  wire logic [              2:0] wr_req,   // requests
    input  wire logic [        3*VRW-1:0] wr_row,   // rows to write
    input  wire logic [    3*MLEN*16-1:0] wr_data,  // data
    input  wire logic [3*(MLEN/BLEN)-1:0] wr_mask,  // blocks of BLEN elements that are written
    output logic      [              2:0] wr_gnt    // taken
);
  localparam int NR = 4;
  localparam int NW = 3;
  localparam int BANKS = 8;
  localparam int LM = $clog2(MLEN);
  localparam int P = MLEN / BLEN;
  localparam int W = MLEN * 16;
  localparam int ROWS = VRAM_ELEMS / MLEN;
  localparam int DEPTH = ROWS / BANKS;
  localparam int AW = (VRW > 3) ? VRW - 3 : 1;

  initial begin
    if (MLEN < 8 || (MLEN & (MLEN - 1)) != 0)
      $fatal(1, "vram: MLEN=%0d must be a power of two of at least 8", MLEN);
    if (BLEN < 1 || BLEN > MLEN || (BLEN & (BLEN - 1)) != 0)
      $fatal(1, "vram: BLEN=%0d must be a power of two of at most MLEN=%0d", BLEN, MLEN);
    if (VRAM_ELEMS < BANKS * MLEN || VRAM_ELEMS % (BANKS * MLEN) != 0)
      $fatal(1, "vram: VRAM_ELEMS=%0d must be a multiple of 8*MLEN=%0d", VRAM_ELEMS, 8 * MLEN);
    if (VRW != $clog2(VRAM_ELEMS / MLEN))
      $fatal(1, "vram: VRW=%0d must be log2 of the number of rows, %0d", VRW, VRAM_ELEMS / MLEN);
  end

  // Bank of a row: the low row bits, folded with the bits above a tile's rows so that tiles do not collide.
  function automatic logic [2:0] bank_of(input logic [VRW-1:0] row);
    bank_of = 3'(row) ^ 3'(row >> LM);
  endfunction

  function automatic logic [AW-1:0] index_of(input logic [VRW-1:0] row);
    index_of = AW'(row >> 3);
  endfunction

  logic [BANKS*W-1:0] bank_q;
  logic [NR*BANKS-1:0] rd_take;  // rd_take[r*BANKS + b]: bank b grants read port r
  logic [NW*BANKS-1:0] wr_take;  // wr_take[w*BANKS + b]: bank b grants write port w
  logic [NR*3-1:0] rd_bank;
  logic [NW*3-1:0] wr_bank;

  for (genvar r = 0; r < NR; r++) begin : g_read
    // Bank whose output belongs to the port in the cycle after its grant.
    logic [2:0] from_q;
    always_ff @(posedge clk) if (rd_gnt[r]) from_q <= rd_bank[r*3+:3];
    assign rd_bank[r*3+:3] = bank_of(rd_row[r*VRW+:VRW]);
    assign rd_gnt[r] = rd_take[r*BANKS+:BANKS] != '0;
    assign rd_data[r*W+:W] = bank_q[from_q*W+:W];
  end

  for (genvar w = 0; w < NW; w++) begin : g_write
    assign wr_bank[w*3+:3] = bank_of(wr_row[w*VRW+:VRW]);
    assign wr_gnt[w] = wr_take[w*BANKS+:BANKS] != '0;
  end

  for (genvar i = 0; i < BANKS; i++) begin : g_bank
    logic [NR-1:0] rd_want;
    logic [NR-1:0] rd_win;
    logic [NW-1:0] wr_want;
    logic [NW-1:0] wr_win;
    logic [AW-1:0] rd_addr;
    logic [AW-1:0] wr_addr;
    logic [ W-1:0] row_data;
    logic [ P-1:0] row_mask;

    for (genvar r = 0; r < NR; r++) begin : g_want_read
      assign rd_want[r] = rd_req[r] && rd_bank[r*3+:3] == 3'(i);
      assign rd_take[r*BANKS+i] = rd_win[r];
    end
    for (genvar w = 0; w < NW; w++) begin : g_want_write
      assign wr_want[w] = wr_req[w] && wr_bank[w*3+:3] == 3'(i);
      assign wr_take[w*BANKS+i] = wr_win[w];
    end

    assign rd_addr = index_of(
        rd_win[3] ? rd_row[3*VRW+:VRW] : rd_win[2] ? rd_row[2*VRW+:VRW] :
        rd_win[1] ? rd_row[1*VRW+:VRW] : rd_row[0*VRW+:VRW]
    );
    assign wr_addr = index_of(
        wr_win[2] ? wr_row[2*VRW+:VRW] : wr_win[1] ? wr_row[1*VRW+:VRW] : wr_row[0*VRW+:VRW]
    );
    assign row_data = wr_win[2] ? wr_data[2*W+:W] : wr_win[1] ? wr_data[1*W+:W] : wr_data[0*W+:W];
    assign row_mask = wr_win[2] ? wr_mask[2*P+:P] : wr_win[1] ? wr_mask[1*P+:P] : wr_mask[0*P+:P];

    bank_arbiter #(
        .N(NR)
    ) u_rd_arbiter (
        .clk(clk),
        .rst(rst),
        .req(rd_want),
        .gnt(rd_win)
    );
    bank_arbiter #(
        .N(NW)
    ) u_wr_arbiter (
        .clk(clk),
        .rst(rst),
        .req(wr_want),
        .gnt(wr_win)
    );
    vram_bank #(
        .ROW_BITS(W),
        .BLOCK_BITS(BLEN * 16),
        .ROWS(DEPTH),
        .AW(AW)
    ) u_bank (
        .clk(clk),
        .rd_en(rd_win != '0),
        .rd_addr(rd_addr),
        .rd_data(bank_q[i*W+:W]),
        .wr_en(wr_win != '0),
        .wr_addr(wr_addr),
        .wr_data(row_data),
        .wr_mask(row_mask)
    );
  end

  // With a power of two of rows every row number is one of them.
  if (ROWS != 2 ** VRW) begin : g_inside
    `PLENA_ASSERT_RESET(rst)
    for (genvar r = 0; r < NR; r++) begin : g_read
      `PLENA_ASSERT_WHEN(vram_read_inside, rd_req[r], int'(rd_row[r*VRW+:VRW]) < ROWS,
                         "a row past VRAM is read")
    end
    for (genvar w = 0; w < NW; w++) begin : g_write
      `PLENA_ASSERT_WHEN(vram_write_inside, wr_req[w], int'(wr_row[w*VRW+:VRW]) < ROWS,
                         "a row past VRAM is written")
    end
  end
endmodule

`default_nettype wire
