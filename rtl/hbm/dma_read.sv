// dma_read: prefetches; asks for the beats of MXFP8 rows, decodes them, writes bf16 rows to VRAM or MSRAM in order.
// Row writes begin 6 cycles after a row's last beat came; one beat and one row a cycle; the next transfer follows without a gap.
// Specified in docs/microarchitecture.md, "HBM unit"; bytes and numbers in docs/isa.md, "HBM instructions" and "Numbers".
`timescale 1ns / 1ps
`default_nettype none

module dma_read #(
    parameter int   MLEN        = 64,    // elements of a row; a power of two
    parameter int   BLEN        = 16,    // elements a write-mask bit
    parameter int   VRW         = 14,    // bits of a VRAM row number
    parameter int   TW          = 6,     // bits of an MSRAM tile number
    parameter int   MX_BLOCK    = 8,     // elements a scale byte; a power of two
    parameter int   ELEMENT     = 0,     // element format
    parameter logic BF16        = 1'b0,  // rows may lie as bf16: two bytes an element, no scales
    parameter int   VPREF       = 16,    // rows of H_PREFETCH_V
    parameter int   ELEM_BEATS  = 128,   // beats that the element FIFO holds
    parameter int   SCALE_BEATS = 64,    // beats that the scale FIFO holds
    parameter int   BURST       = 16,    // longest burst in beats
    parameter int   QW          = 2      // bits of a slot number
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    // requests: the transfers in program order
    input wire logic req_valid,  // a transfer may ask for its beats
    output logic req_ready,  // it begins to
    input wire logic req_tile,  // 1: to MSRAM (MLEN rows), 0: to VRAM (VPREF rows)
    input wire logic [63:0] req_ebase,  // byte address of the first element row
    input wire logic [63:0] req_sbase,  // byte address of the first scale row
    input wire logic [31:0] req_stride,  // bytes between element rows
    input wire logic req_bf16,  // the rows lie as bf16
    // scale rows: the same transfers in the same order
    input wire logic scale_valid,  // a transfer waits for its scale rows
    output logic scale_ready,  // it is taken
    input wire logic scale_tile,  // as req_tile
    input wire logic [5:0] scale_offset,  // first scale byte in its beat
    input wire logic [31:0] scale_stride,  // bytes between element rows
    // element rows: the same transfers in the same order
    input wire logic elem_valid,  // a transfer waits for its element rows
    output logic elem_ready,  // it is taken
    input wire logic elem_tile,  // as req_tile
    input wire logic [5:0] elem_offset,  // first element byte in its beat
    input wire logic [31:0] elem_stride,  // bytes between element rows
    input wire logic elem_bf16,  // the rows lie as bf16
    input wire logic [QW-1:0] elem_slot,  // slot of the transfer
    input wire logic [TW-1:0] elem_dtile,  // destination tile
    input wire logic [VRW-1:0] elem_row,  // first destination row in VRAM
    output logic elem_idle,  // every beat of the transfers taken has been used
    // report
    output logic end_valid,  // the last row of a transfer is written in this cycle
    output logic [QW-1:0] end_slot,  // slot of the transfer
    output logic end_err,  // it had a bus error
    output logic idle,  // nothing in flight
    // bursts to the arbiter
    output logic ar_req,  // request
    input wire logic ar_gnt,  // taken
    output logic ar_scale,  // 1: scale beats, 0: element beats
    output logic [63:0] ar_addr,  // byte address, 64-byte aligned
    output logic [7:0] ar_len,  // beats - 1
    // beats
    input wire logic r_elem,  // an element beat comes; always taken
    input wire logic r_scale,  // a scale beat comes; always taken
    input wire logic [511:0] r_data,  // its bytes
    input wire logic r_err,  // bus error
    // VRAM write port
    `include "vram_write_ports.svh"
    // MSRAM write port, always accepted
    output logic ms_wr_en,  // write
    output logic [TW-1:0] ms_wr_tile,  // tile
    output logic [$clog2(MLEN)-1:0] ms_wr_idx,  // row of the tile
    output logic [MLEN*16-1:0] ms_wr_data  // data
);
  localparam int SCALES = MLEN / MX_BLOCK;
  localparam int CHUNK = (MLEN < 64) ? MLEN : 64;
  localparam int WIDE = !BF16 ? CHUNK : 2 * MLEN < 64 ? 2 * MLEN : 64;  // bytes of the longest chunk
  localparam int LB = $clog2(MX_BLOCK);
  localparam int LM = $clog2(MLEN);
  localparam int MAX_ROWS = (MLEN > VPREF) ? MLEN : VPREF;
  localparam int RW = $clog2(MAX_ROWS + 1);
  localparam int TAGW = 2 + QW + TW + VRW;

  // beats
  logic elem_beat_valid, elem_beat_err, elem_beat_pop;
  logic [511:0] elem_beat;
  logic scale_beat_valid, scale_beat_err, scale_beat_pop;
  logic [511:0] scale_beat;
  logic request_idle;

  read_request #(
      .MLEN(MLEN),
      .BF16(BF16),
      .MX_BLOCK(MX_BLOCK),
      .VPREF(VPREF),
      .ELEM_BEATS(ELEM_BEATS),
      .SCALE_BEATS(SCALE_BEATS),
      .BURST(BURST)
  ) u_request (
      .clk(clk),
      .rst(rst),
      .start_valid(req_valid),
      .start_ready(req_ready),
      .start_tile(req_tile),
      .start_ebase(req_ebase),
      .start_sbase(req_sbase),
      .start_stride(req_stride),
      .start_bf16(req_bf16),
      .elem_pop(elem_beat_pop),
      .scale_pop(scale_beat_pop),
      .ar_req(ar_req),
      .ar_gnt(ar_gnt),
      .ar_scale(ar_scale),
      .ar_addr(ar_addr),
      .ar_len(ar_len),
      .idle(request_idle)
  );

  // read_request asks only for beats that the FIFOs have room for: they are ready whenever a beat comes
  logic elem_room, scale_room;

  stream_fifo #(
      .WIDTH(513),
      .DEPTH(ELEM_BEATS)
  ) u_elem_fifo (
      .clk(clk),
      .rst(rst),
      .in_valid(r_elem),
      .in_ready(elem_room),
      .in_data({r_err, r_data}),
      .out_valid(elem_beat_valid),
      .out_data({elem_beat_err, elem_beat}),
      .out_pop(elem_beat_pop)
  );

  stream_fifo #(
      .WIDTH(513),
      .DEPTH(SCALE_BEATS)
  ) u_scale_fifo (
      .clk(clk),
      .rst(rst),
      .in_valid(r_scale),
      .in_ready(scale_room),
      .in_data({r_err, r_data}),
      .out_valid(scale_beat_valid),
      .out_data({scale_beat_err, scale_beat}),
      .out_pop(scale_beat_pop)
  );

  // Scale rows: cut out as soon as they come, kept until their element row is there. The FIFO holds the rows of a whole
  // transfer, so that its scales never keep its elements from coming.
  logic srow_valid, srow_ready, srow_err, srow_idle;
  logic [SCALES*8-1:0] srow;
  logic unused_srow_tag, unused_srow_row_last, unused_srow_last;
  logic [7:0] unused_srow_chunk;

  row_gather #(
      .ROW_BYTES(SCALES),
      .RW(RW),
      .TAGW(1)
  ) u_scale_gather (
      .clk(clk),
      .rst(rst),
      .start_valid(scale_valid),
      .start_ready(scale_ready),
      .start_offset(scale_offset),
      .start_stride(scale_stride >> LB),
      .start_rows(scale_tile ? RW'(MLEN) : RW'(VPREF)),
      .start_double(1'b0),
      .start_tag(1'b0),
      .beat_valid(scale_beat_valid),
      .beat_data(scale_beat),
      .beat_err(scale_beat_err),
      .beat_pop(scale_beat_pop),
      .out_valid(srow_valid),
      .out_ready(srow_ready),
      .out_data(srow),
      .out_err(srow_err),
      .out_chunk(unused_srow_chunk),
      .out_row_last(unused_srow_row_last),
      .out_last(unused_srow_last),
      .out_tag(unused_srow_tag),
      .idle(srow_idle)
  );

  logic scales_valid, scales_err, scales_pop;
  logic [SCALES*8-1:0] scales;

  stream_fifo #(
      .WIDTH(SCALES * 8 + 1),
      .DEPTH(1 << $clog2(MAX_ROWS))
  ) u_scale_rows (
      .clk(clk),
      .rst(rst),
      .in_valid(srow_valid),
      .in_ready(srow_ready),
      .in_data({srow_err, srow}),
      .out_valid(scales_valid),
      .out_data({scales_err, scales}),
      .out_pop(scales_pop)
  );

  // Element chunks
  logic chunk_valid, chunk_err, chunk_row_last, chunk_last, chunk_tile, chunk_take;
  logic chunk_tag_bf16, chunk_bf16;
  logic [WIDE*8-1:0] chunk;
  logic [7:0] chunk_no;
  logic [QW-1:0] chunk_slot;
  logic [TW-1:0] chunk_dtile;
  logic [VRW-1:0] chunk_row;

  row_gather #(
      .ROW_BYTES(MLEN),
      .DOUBLE(BF16),
      .RW(RW),
      .TAGW(TAGW)
  ) u_elem_gather (
      .clk(clk),
      .rst(rst),
      .start_valid(elem_valid),
      .start_ready(elem_ready),
      .start_offset(elem_offset),
      .start_stride(elem_stride),
      .start_rows(elem_tile ? RW'(MLEN) : RW'(VPREF)),
      .start_double(elem_bf16),
      .start_tag({elem_bf16, elem_tile, elem_slot, elem_dtile, elem_row}),
      .beat_valid(elem_beat_valid),
      .beat_data(elem_beat),
      .beat_err(elem_beat_err),
      .beat_pop(elem_beat_pop),
      .out_valid(chunk_valid),
      .out_ready(chunk_take),
      .out_data(chunk),
      .out_err(chunk_err),
      .out_chunk(chunk_no),
      .out_row_last(chunk_row_last),
      .out_last(chunk_last),
      .out_tag({chunk_tag_bf16, chunk_tile, chunk_slot, chunk_dtile, chunk_row}),
      .idle(elem_idle)
  );

  `include "mx_functions.svh"

  function automatic logic [CHUNK*16-1:0] decode(input logic [CHUNK*8-1:0] elems,
                                                 input logic [CHUNK/MX_BLOCK*8-1:0] blocks);
    for (int i = 0; i < CHUNK; i++)
    decode[i*16+:16] = mx_decode(elems[i*8+:8], blocks[(i/MX_BLOCK)*8+:8]);
  endfunction

  // Row register: decoded chunk by chunk, held until the row is accepted.
  logic [MLEN*16-1:0] row_data_q;
  logic row_valid_q;  // complete
  logic row_tile_q;
  logic row_err_q;
  logic row_last_q;
  logic [QW-1:0] row_slot_q;
  logic [TW-1:0] row_dtile_q;
  logic [VRW-1:0] row_base_q;
  logic [RW-1:0] row_no_q;  // row of the transfer that is in the row register
  logic transfer_err_q;  // a row before it had an error
  logic row_accept;

  assign row_accept = row_valid_q && (row_err_q || row_tile_q || wr_gnt);
  assign chunk_bf16 = BF16 && chunk_tag_bf16;
  assign chunk_take = chunk_valid && (scales_valid || chunk_bf16) && (!row_valid_q || row_accept);
  assign scales_pop = chunk_take && chunk_row_last && !chunk_bf16;

  always_ff @(posedge clk) begin
    if (chunk_take) begin
      if (chunk_bf16) row_data_q[int'(chunk_no)*WIDE*8+:WIDE*8] <= chunk;
      else
        row_data_q[int'(chunk_no)*CHUNK*16+:CHUNK*16] <= decode(
            chunk[CHUNK*8-1:0], scales[int'(chunk_no)*(CHUNK/MX_BLOCK)*8+:CHUNK/MX_BLOCK*8]
        );
      row_tile_q  <= chunk_tile;
      row_err_q   <= chunk_err || (scales_err && !chunk_bf16) || (chunk_no != 8'd0 && row_err_q);
      row_last_q  <= chunk_last;
      row_slot_q  <= chunk_slot;
      row_dtile_q <= chunk_dtile;
      row_base_q  <= chunk_row;
    end
    if (chunk_take || row_accept) row_valid_q <= chunk_take && chunk_row_last;
    if (row_accept) begin
      row_no_q <= row_last_q ? '0 : row_no_q + 1'b1;
      transfer_err_q <= !row_last_q && (transfer_err_q || row_err_q);
    end
    if (rst) begin
      row_valid_q <= 1'b0;
      row_no_q <= '0;
      transfer_err_q <= 1'b0;
    end
  end

  assign wr_req = row_valid_q && !row_err_q && !row_tile_q;
  assign wr_row = row_base_q + VRW'(row_no_q);
  assign wr_data = row_data_q;
  assign wr_mask = '1;
  assign ms_wr_en = row_valid_q && !row_err_q && row_tile_q;
  assign ms_wr_tile = row_dtile_q;
  assign ms_wr_idx = row_no_q[LM-1:0];
  assign ms_wr_data = row_data_q;

  assign end_valid = row_accept && row_last_q;
  assign end_slot = row_slot_q;
  assign end_err = row_err_q || transfer_err_q;
  assign idle = request_idle && srow_idle && !scales_valid && elem_idle && !row_valid_q;

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(prefetch_elem_room, r_elem, elem_room,
                     "an element beat comes that has no place")
  `PLENA_ASSERT_WHEN(prefetch_scale_room, r_scale, scale_room,
                     "a scale beat comes that has no place")
  `PLENA_ASSERT_WHEN(prefetch_rows, row_accept && row_last_q,
                     row_no_q == (row_tile_q ? RW'(MLEN - 1) : RW'(VPREF - 1)),
                     "a transfer ends before its last row, or after it")
  `PLENA_ASSERT_STANDS(prefetch_row_stands, wr_req, wr_gnt, wr_row,
                       "a row goes or changes before it is written")
endmodule

`default_nettype wire
