// read_request: turns a transfer (scale rows, then element rows) into AXI read bursts; no beat is asked for twice in a row.
// One burst a cycle; the first one 2 cycles after start; waits only for room in the beat FIFOs and for the AR channel.
// Specified in docs/microarchitecture.md, "HBM unit".
`timescale 1ns / 1ps
`default_nettype none

module read_request #(
    parameter int MLEN = 64,  // elements of a row; a power of two
    parameter logic BF16 = 1'b0,  // rows may lie as bf16: two bytes an element, no scales
    parameter int MX_BLOCK = 8,  // elements a scale byte
    parameter int VPREF = 16,  // rows of a transfer to VRAM (a transfer to MSRAM has MLEN)
    parameter int ELEM_BEATS = 128,  // beats that the element FIFO holds
    parameter int SCALE_BEATS = 64,  // beats that the scale FIFO holds
    parameter int BURST = 16  // longest burst in beats; bursts end at multiples of it
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    // transfer
    input wire logic start_valid,  // a transfer is offered
    output logic start_ready,  // it is taken
    input wire logic start_tile,  // 1: MLEN rows (MSRAM tile), 0: VPREF rows (VRAM)
    input wire logic [63:0] start_ebase,  // byte address of the first element row
    input wire logic [63:0] start_sbase,  // byte address of the first scale row
    input wire logic [31:0] start_stride,  // bytes between element rows
    input wire logic start_bf16,  // the rows lie as bf16
    // beats that left the FIFOs
    input wire logic elem_pop,  // an element beat
    input wire logic scale_pop,  // a scale beat
    // bursts
    output logic ar_req,  // a burst is ready
    input wire logic ar_gnt,  // it is taken
    output logic ar_scale,  // 1: scale beats, 0: element beats
    output logic [63:0] ar_addr,  // byte address, 64-byte aligned
    output logic [7:0] ar_len,  // beats - 1
    output logic idle  // nothing to ask for and every beat asked for left its FIFO
);
  localparam int SCALES = MLEN / MX_BLOCK;
  localparam int LB = $clog2(MX_BLOCK);
  localparam int MAX_ROWS = (MLEN > VPREF) ? MLEN : VPREF;
  localparam int RW = $clog2(MAX_ROWS + 1);
  localparam int MOST_BYTES = BF16 ? 2 * MLEN : MLEN;  // of an element row
  localparam int ROW_BEATS = (MOST_BYTES > 64) ? MOST_BYTES / 64 : 1;
  localparam int MAX_BEATS = MAX_ROWS * ROW_BEATS + 1;  // of a segment
  localparam int BW = $clog2(BURST);
  localparam int SW = $clog2(((MAX_BEATS > BURST) ? MAX_BEATS : BURST) + 1);
  localparam int EW = $clog2(ELEM_BEATS + 1);
  localparam int CW = $clog2(SCALE_BEATS + 1);

  initial begin
    if (BURST < 2 || BURST > 64 || (BURST & (BURST - 1)) != 0)
      $fatal(1, "read_request: BURST=%0d must be a power of two in 2..64 (4 KiB rule)", BURST);
    if (BURST > ELEM_BEATS || BURST > SCALE_BEATS)
      $fatal(
          1,
          "read_request: BURST=%0d must fit ELEM_BEATS=%0d and SCALE_BEATS=%0d",
          BURST,
          ELEM_BEATS,
          SCALE_BEATS
      );
  end

  // A segment is a run of consecutive beats. Where a row begins no later than behind the beats of the row before it, all
  // rows together are one segment ("dense"); else each row is one, without the first beat if the row before it ended there.
  logic           active_q;
  logic           elems_q;  // phase: 0 scale rows, 1 element rows
  logic           tile_q;
  logic           bf16_q;
  logic [   63:0] ebase_q;
  logic [   31:0] stride_q;
  logic [   63:0] addr_q;  // byte address of the next row
  logic [ RW-1:0] left_q;  // rows left in the phase
  logic           first_q;  // no row of this phase was asked for yet
  logic [   57:0] last_q;  // last beat of the row before

  logic [   31:0] step;
  logic [    9:0] row_bytes;  // of an element row
  logic           long_row;  // the row is longer than a beat
  logic           dense;
  logic           share;
  logic [ RW-1:0] all_rows;
  logic [RW+15:0] dense_span;  // bytes from the first row's start to the last row's
  logic [   57:0] last_beat;  // last beat of the row or of the dense span
  logic           skip;
  logic [   57:0] begin_beat;
  logic [ SW-1:0] beats;
  logic           produce;
  logic           phase_ends;

  logic           seg_valid_q;
  logic           seg_scale_q;
  logic [   57:0] seg_beat_q;
  logic [ SW-1:0] seg_left_q;
  logic [   BW:0] room;
  logic [   BW:0] burst;
  logic           issue;
  logic           seg_ends;
  logic [ EW-1:0] elem_free_q;
  logic [ CW-1:0] scale_free_q;

  assign step = elems_q ? stride_q : stride_q >> LB;
  assign row_bytes = BF16 && bf16_q ? 10'(2 * MLEN) : 10'(MLEN);
  assign long_row = elems_q && row_bytes > 10'd64;
  assign dense = long_row ? step == {22'd0, row_bytes} : step <= 32'd64;
  assign share = !long_row || step >= {22'd0, row_bytes};
  assign all_rows = tile_q ? RW'(MLEN) : RW'(VPREF);
  assign dense_span = tile_q ? (RW + 16)'(MLEN - 1) * (RW + 16)'(step[9:0]) :
      (RW + 16)'(VPREF - 1) * (RW + 16)'(step[9:0]);
  assign last_beat = 58'((addr_q + (elems_q ? {54'd0, row_bytes} - 64'd1 : 64'(SCALES - 1)) +
      (dense ? 64'(dense_span) : 64'd0)) >> 6);
  assign skip = share && !first_q && addr_q[63:6] == last_q;
  assign begin_beat = addr_q[63:6] + 58'(skip);
  assign beats = SW'(last_beat - begin_beat) + 1'b1;
  assign phase_ends = dense || left_q == RW'(1);

  // Bursts stop at multiples of BURST beats, which are never across a 4 KiB boundary.
  assign room = (BW + 1)'(BURST) - {1'b0, seg_beat_q[BW-1:0]};
  assign burst = (seg_left_q < SW'(room)) ? (BW + 1)'(seg_left_q) : room;
  assign ar_req = seg_valid_q && (seg_scale_q ? CW'(burst) <= scale_free_q : EW'(burst) <= elem_free_q);
  assign ar_scale = seg_scale_q;
  assign ar_addr = {seg_beat_q, 6'd0};
  assign ar_len = 8'(burst) - 8'd1;
  assign issue = ar_req && ar_gnt;
  assign seg_ends = issue && seg_left_q == SW'(burst);
  assign produce = active_q && (!seg_valid_q || seg_ends);
  assign start_ready = !active_q;
  assign idle = !active_q && !seg_valid_q && elem_free_q == EW'(ELEM_BEATS) &&
      scale_free_q == CW'(SCALE_BEATS);

  always_ff @(posedge clk) begin
    if (start_valid && start_ready) begin
      active_q <= 1'b1;
      elems_q  <= BF16 && start_bf16;  // no scales
      tile_q   <= start_tile;
      bf16_q   <= BF16 && start_bf16;
      ebase_q  <= start_ebase;
      stride_q <= start_stride;
      addr_q   <= BF16 && start_bf16 ? start_ebase : start_sbase;
      left_q   <= start_tile ? RW'(MLEN) : RW'(VPREF);
      first_q  <= 1'b1;
    end
    if (produce) begin
      last_q  <= last_beat;
      first_q <= 1'b0;
      addr_q  <= addr_q + 64'(step);
      left_q  <= left_q - 1'b1;
      if (phase_ends) begin
        elems_q <= 1'b1;
        addr_q  <= ebase_q;
        left_q  <= all_rows;
        first_q <= 1'b1;
        if (elems_q) active_q <= 1'b0;
      end
      seg_scale_q <= !elems_q;
      seg_beat_q  <= begin_beat;
      seg_left_q  <= beats;
    end else if (issue) begin
      seg_beat_q <= seg_beat_q + 58'(burst);
      seg_left_q <= seg_left_q - SW'(burst);
    end
    if (produce || seg_ends) seg_valid_q <= produce;
    if (elem_pop || issue)
      elem_free_q <= elem_free_q + EW'(elem_pop) - ((issue && !seg_scale_q) ? EW'(burst) : '0);
    if (scale_pop || issue)
      scale_free_q <= scale_free_q + CW'(scale_pop) - ((issue && seg_scale_q) ? CW'(burst) : '0);
    if (rst) begin
      active_q <= 1'b0;
      seg_valid_q <= 1'b0;
      elem_free_q <= EW'(ELEM_BEATS);
      scale_free_q <= CW'(SCALE_BEATS);
    end
  end

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_STANDS(request_stands, ar_req, ar_gnt, ({ar_scale, ar_addr, ar_len}),
                       "a burst goes or changes before it is taken")
  always @(posedge clk)
    if (idle !== 1'b1) begin
      `PLENA_ASSERT_HERE(request_beats, !produce || beats != '0, "a segment has no beats")
      `PLENA_ASSERT_HERE(request_block,
                         !ar_req || {1'b0, seg_beat_q[BW-1:0]} + burst <= (BW + 1)'(BURST),
                         "a burst goes past a multiple of the longest one")
      `PLENA_ASSERT_HERE(request_elem_asked, elem_free_q <= EW'(ELEM_BEATS),
                         "an element beat is used that nobody asked for")
      `PLENA_ASSERT_HERE(request_scale_asked, scale_free_q <= CW'(SCALE_BEATS),
                         "a scale beat is used that nobody asked for")
    end
endmodule

`default_nettype wire
