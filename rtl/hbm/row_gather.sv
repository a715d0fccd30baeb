// row_gather: cuts rows of bytes out of a stream of 64-byte beats; a beat serves every row that lies in it.
// One chunk (a row, or 64 bytes of a longer one) a cycle, registered; one beat a cycle.
// Specified in docs/microarchitecture.md, "HBM unit"; the beats are those that read_request asks for, in its order.
`timescale 1ns / 1ps
`default_nettype none

module row_gather #(
    parameter int   ROW_BYTES = 64,    // bytes of a row; a power of two
    parameter logic DOUBLE    = 1'b0,  // a transfer may have rows of twice as many
    parameter int   RW        = 7,     // bits of a number of rows
    parameter int   TAGW      = 1      // bits that travel with a transfer
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    // transfer
    input wire logic start_valid,  // a transfer is offered
    output logic start_ready,  // it is taken
    input wire logic [5:0] start_offset,  // first byte in its beat
    input wire logic [31:0] start_stride,  // bytes between rows
    input wire logic [RW-1:0] start_rows,  // rows, at least 1
    input wire logic start_double,  // rows of 2*ROW_BYTES, only with DOUBLE
    input wire logic [TAGW-1:0] start_tag,  // comes out with each chunk
    // beats
    input wire logic beat_valid,  // a beat is there
    input wire logic [511:0] beat_data,  // its bytes
    input wire logic beat_err,  // it came with an error
    output logic beat_pop,  // it is taken
    // chunks
    output logic out_valid,  // a chunk is there
    input wire logic out_ready,  // it is taken
    output logic [((ROW_BYTES << DOUBLE) < 64 ? ROW_BYTES << DOUBLE : 64)*8-1:0] out_data,  // its bytes
    output logic out_err,  // one of its beats came with an error
    output logic [7:0] out_chunk,  // which chunk of the row
    output logic out_row_last,  // last chunk of the row
    output logic out_last,  // last chunk of the transfer
    output logic [TAGW-1:0] out_tag,  // start_tag of the transfer
    output logic idle  // no transfer, no chunk
);
  localparam int CHUNK = (ROW_BYTES < 64) ? ROW_BYTES : 64;
  localparam int CHUNKS = ROW_BYTES / CHUNK;
  localparam int LONG = 2 * ROW_BYTES < 64 ? 2 * ROW_BYTES : 64;  // chunk of a row of twice as many bytes
  localparam int WIDE = DOUBLE ? LONG : CHUNK;

  initial begin
    if (ROW_BYTES < 1 || ROW_BYTES > 256 || (ROW_BYTES & (ROW_BYTES - 1)) != 0)
      $fatal(1, "row_gather: ROW_BYTES=%0d must be a power of two up to 256", ROW_BYTES);
  end

  // Two beats are in view: `held_q`, the beat popped last, and the head of the stream behind it. A chunk begins in `held_q`
  // (ahead = 0) or in the head (ahead = 1) and may straddle into the next beat.
  logic            active_q;
  logic [     5:0] offset_q;
  logic [    31:0] stride_q;
  logic [  RW-1:0] left_q;
  logic [     7:0] chunk_q;
  logic [TAGW-1:0] tag_q;
  logic            double_q;
  logic [   511:0] held_q;
  logic            held_err_q;
  logic            ahead_q;

  logic            double;
  logic [     7:0] last_chunk;
  logic            straddle;
  logic            hit;
  logic            take;
  logic            row_last;
  logic            last;
  logic [    32:0] next_row;  // start of the next row, counted from this row's first beat
  logic [    26:0] delta;  // beats from this chunk's first beat to the next row's
  logic            share;  // the next row may lie in beats of this one
  logic            stay;  // and it does
  logic [     1:0] move;  // beats from this chunk's first beat to the next chunk's, in stream order
  logic [     1:0] reach;  // the same from `held_q`

  assign double = DOUBLE && double_q;
  assign last_chunk = double ? 8'(2 * ROW_BYTES / LONG - 1) : 8'(CHUNKS - 1);
  assign straddle = {1'b0, offset_q} > (double ? 7'(64 - LONG) : 7'(64 - CHUNK));
  assign row_last = chunk_q == last_chunk;
  assign last = row_last && left_q == RW'(1);
  assign next_row = {1'b0, stride_q} + 33'(offset_q);
  assign delta = next_row[32:6] - {19'd0, last_chunk};
  assign share = last_chunk == 8'd0 || stride_q >= (double ? 32'(2 * ROW_BYTES) : 32'(ROW_BYTES));
  assign stay = row_last && !last && share && delta <= 27'(straddle);
  assign move = !row_last ? 2'd1 : stay ? delta[1:0] : straddle ? 2'd2 : 2'd1;
  assign reach = move + 2'(ahead_q);
  assign hit = ahead_q ? !straddle && beat_valid : !straddle || beat_valid;
  assign take = active_q && hit && (!out_valid || out_ready);
  assign beat_pop = beat_valid && (take ? reach != 2'd0 : active_q && ahead_q && straddle);
  assign start_ready = !active_q || (take && last);
  assign idle = !active_q && !out_valid;

  always_ff @(posedge clk) begin
    if (beat_pop) begin
      held_q <= beat_data;
      held_err_q <= beat_err;
    end
    if (take) begin
      // the wide shift is evaluated only when a chunk is taken
      if (straddle) out_data <= (WIDE * 8)'({beat_data, held_q} >> {offset_q, 3'd0});
      else out_data <= (WIDE * 8)'((ahead_q ? beat_data : held_q) >> {offset_q, 3'd0});
      out_err <= ((ahead_q || straddle) && beat_err) || (!ahead_q && held_err_q);
      out_chunk <= chunk_q;
      out_row_last <= row_last;
      out_last <= last;
      out_tag <= tag_q;
      chunk_q <= row_last ? 8'd0 : chunk_q + 8'd1;
      if (row_last) begin
        offset_q <= next_row[5:0];
        left_q   <= left_q - 1'b1;
      end
      ahead_q <= (reach - 2'(beat_pop)) != 2'd0;
    end else if (beat_pop) ahead_q <= 1'b0;
    if (take || out_ready) out_valid <= take;
    if (start_valid && start_ready) begin
      offset_q <= start_offset;
      stride_q <= start_stride;
      left_q <= start_rows;
      chunk_q <= 8'd0;
      tag_q <= start_tag;
      double_q <= start_double;
    end
    if (start_ready) active_q <= start_valid;
    if (rst) begin
      active_q  <= 1'b0;
      ahead_q   <= 1'b1;
      out_valid <= 1'b0;
    end
  end

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(gather_rows, start_valid && start_ready, start_rows != '0,
                     "a transfer has no rows")
  `PLENA_ASSERT_WHEN(gather_reach, take, reach - 2'(beat_pop) <= 2'd1,
                     "a chunk begins behind the beats in view")
endmodule

`default_nettype wire
