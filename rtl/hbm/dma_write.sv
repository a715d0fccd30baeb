// dma_write: stores; reads rows of VRAM, encodes them to MXFP8, writes each row's elements and then its scales to HBM.
// A row takes 5 cycles and a cycle for each of its beats; end_valid comes with the last write response.
// Specified in docs/microarchitecture.md, "HBM unit"; bytes and numbers in docs/isa.md, "HBM instructions" and "Numbers".
`timescale 1ns / 1ps
`default_nettype none

module dma_write #(
    parameter int   MLEN     = 64,    // elements of a row; a power of two
    parameter int   VRW      = 14,    // bits of a VRAM row number
    parameter int   MX_BLOCK = 8,     // elements a scale byte; a power of two
    parameter int   ELEMENT  = 0,     // element format
    parameter logic BF16     = 1'b0,  // rows may lie as bf16: two bytes an element, no scales
    parameter int   VSTORE   = 16     // rows of H_STORE_V
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    input wire logic abort,  // forget the transfer; the bus is left as AXI wants it
    input wire logic [1:0] group,  // group of AXI ids
    input wire logic ready,  // it is free of late answers
    // transfer
    input wire logic start_valid,  // a transfer is offered
    output logic start_ready,  // it is taken
    input wire logic [63:0] start_ebase,  // byte address of the first element row
    input wire logic [63:0] start_sbase,  // byte address of the first scale row
    input wire logic [31:0] start_stride,  // bytes between element rows
    input wire logic start_bf16,  // the rows lie as bf16
    input wire logic [VRW-1:0] start_row,  // first source row in VRAM
    // report
    output logic captured,  // the last row is captured in this cycle
    output logic end_valid,  // every write was answered
    output logic end_err,  // an answer had an error (with end_valid)
    output logic answering,  // only answers are left to come
    output logic idle,  // no transfer
    output logic burst_step,  // a burst begins
    // VRAM read port
    output logic rd_req,  // request
    output logic [VRW-1:0] rd_row,  // row
    input wire logic rd_gnt,  // taken; data in the next cycle
    input wire logic [MLEN*16-1:0] rd_data,  // data
    // AXI write channels
    `include "axi_write_ports.svh"
    input wire logic [1:0] m_axi_bgroup,  // group of the response
    input wire logic m_axi_bresp1,  // bit 1 of the response: error
    input wire logic m_axi_bvalid,  // response
    output logic m_axi_bready  // taken
);
  localparam int SCALES = MLEN / MX_BLOCK;
  localparam int CHUNK = (MLEN < 64) ? MLEN : 64;
  localparam int CHUNKS = MLEN / CHUNK;
  localparam int LONG = 2 * MLEN < 64 ? 2 * MLEN : 64;  // bytes of a chunk of bf16
  localparam int WIDE = BF16 ? LONG : CHUNK;
  localparam int LB = $clog2(MX_BLOCK);
  localparam int RW = $clog2(VSTORE + 1);

  localparam logic [2:0] IDLE = 3'd0;
  localparam logic [2:0] READ = 3'd1;  // ask VRAM for the row
  localparam logic [2:0] CAPTURE = 3'd2;  // the row comes
  localparam logic [2:0] SCALE = 3'd3;  // scales of its blocks
  localparam logic [2:0] ENCODE = 3'd4;  // element chunks
  localparam logic [2:0] TAIL = 3'd5;  // scale chunk
  localparam logic [2:0] ANSWER = 3'd6;  // wait for the write responses

  `include "mx_functions.svh"

  // The scale byte of each block: from its largest magnitude, subnormals counting as zero.
  function automatic logic [SCALES*8-1:0] block_scales(input logic [MLEN*16-1:0] values);
    logic [15:0] largest;
    logic [15:0] magnitude;
    logic special;
    for (int b = 0; b < SCALES; b++) begin
      largest = 16'd0;
      special = 1'b0;
      for (int i = 0; i < MX_BLOCK; i++) begin
        magnitude = {1'b0, values[(b*MX_BLOCK+i)*16+:15]};
        if (magnitude[14:7] == 8'hff) special = 1'b1;
        if (magnitude[14:7] != 8'd0 && magnitude > largest) largest = magnitude;
      end
      block_scales[b*8+:8] = mx_scale(largest, special);
    end
  endfunction

  function automatic logic [CHUNK*8-1:0] encode(input logic [CHUNK*16-1:0] elems,
                                                input logic [CHUNK/MX_BLOCK*8-1:0] blocks);
    for (int i = 0; i < CHUNK; i++)
    encode[i*8+:8] = mx_encode(elems[i*16+:16], blocks[(i/MX_BLOCK)*8+:8]);
  endfunction

  logic [ 2:0] state_q;
  logic [63:0] eaddr_q;
  logic [63:0] saddr_q;
  logic [31:0] stride_q;
  logic bf16_q, as_bf16;
  logic [7:0] last_chunk;
  logic [VRW-1:0] row_q;
  logic [RW-1:0] left_q;
  logic [7:0] chunk_no_q;
  logic err_q;
  logic [MLEN*16-1:0] row_data_q;
  logic [SCALES*8-1:0] scales_q;

  logic out_valid_q;
  logic out_ready;
  logic out_first_q;
  logic out_last_q;
  logic out_scale_q;
  logic [WIDE*8-1:0] out_data_q;
  logic [63:0] out_addr_q;
  logic scatter_idle;
  logic b_err;
  logic load;

  assign as_bf16 = BF16 && bf16_q;
  assign last_chunk = as_bf16 ? 8'(2 * MLEN / LONG - 1) : 8'(CHUNKS - 1);
  assign start_ready = state_q == IDLE;
  assign idle = state_q == IDLE;
  assign rd_req = state_q == READ;
  assign rd_row = row_q;
  assign captured = state_q == CAPTURE && left_q == RW'(1);
  assign load = (state_q == ENCODE || state_q == TAIL) && (!out_valid_q || out_ready);
  assign end_valid = state_q == ANSWER && !out_valid_q && scatter_idle;
  assign end_err = err_q;
  assign answering = state_q == ANSWER && !out_valid_q;

  always_ff @(posedge clk) begin
    case (state_q)
      IDLE:
      if (start_valid) begin
        state_q <= READ;
        eaddr_q <= start_ebase;
        saddr_q <= start_sbase;
        stride_q <= start_stride;
        bf16_q <= start_bf16;
        row_q <= start_row;
        left_q <= RW'(VSTORE);
        err_q <= 1'b0;
      end
      READ: if (rd_gnt) state_q <= CAPTURE;
      CAPTURE: begin
        row_data_q <= rd_data;
        row_q <= row_q + 1'b1;
        left_q <= left_q - 1'b1;
        chunk_no_q <= 8'd0;
        state_q <= as_bf16 ? ENCODE : SCALE;
      end
      SCALE: begin
        scales_q <= block_scales(row_data_q);
        state_q  <= ENCODE;
      end
      ENCODE:
      if (load) begin
        if (as_bf16) out_data_q <= row_data_q[int'(chunk_no_q)*WIDE*8+:WIDE*8];
        else
          out_data_q <= (WIDE * 8)'(encode(
              row_data_q[int'(chunk_no_q)*CHUNK*16+:CHUNK*16],
              scales_q[int'(chunk_no_q)*(CHUNK/MX_BLOCK)*8+:CHUNK/MX_BLOCK*8]
          ));
        out_first_q <= chunk_no_q == 8'd0;
        out_last_q  <= chunk_no_q == last_chunk;
        out_scale_q <= 1'b0;
        out_addr_q  <= eaddr_q;
        chunk_no_q  <= chunk_no_q + 8'd1;
        if (chunk_no_q == last_chunk) begin
          eaddr_q <= eaddr_q + 64'(stride_q);
          state_q <= !as_bf16 ? TAIL : (left_q == '0) ? ANSWER : READ;
        end
      end
      TAIL:
      if (load) begin
        out_data_q <= (WIDE * 8)'(scales_q);
        out_first_q <= 1'b1;
        out_last_q <= 1'b1;
        out_scale_q <= 1'b1;
        out_addr_q <= saddr_q;
        saddr_q <= saddr_q + 64'(stride_q >> LB);
        state_q <= (left_q == '0) ? ANSWER : READ;
      end
      default: if (end_valid) state_q <= IDLE;
    endcase
    if (load || out_ready) out_valid_q <= load;
    if (b_err) err_q <= 1'b1;
    if (rst || abort) begin
      state_q <= IDLE;
      out_valid_q <= 1'b0;
    end
  end

  row_scatter u_scatter (
      .clk(clk),
      .rst(rst),
      .abort(abort),
      .group(group),
      .ready(ready),
      .in_valid(out_valid_q),
      .in_ready(out_ready),
      .in_first(out_first_q),
      .in_last(out_last_q),
      .in_data(512'(out_data_q)),
      .in_strb(out_scale_q ? 64'((65'd1 << SCALES) - 65'd1) :
               as_bf16 ? 64'((65'd1 << LONG) - 65'd1) : 64'((65'd1 << CHUNK) - 65'd1)),
      .in_addr(out_addr_q),
      .in_bytes(out_scale_q ? 10'(SCALES) : as_bf16 ? 10'(2 * MLEN) : 10'(MLEN)),
      .idle(scatter_idle),
      .b_err(b_err),
      .burst_step(burst_step),
      `include "axi_write_connections.svh"
      .m_axi_bgroup(m_axi_bgroup),
      .m_axi_bresp1(m_axi_bresp1),
      .m_axi_bvalid(m_axi_bvalid),
      .m_axi_bready(m_axi_bready)
  );

  `PLENA_ASSERT_RESET(rst || abort)

  `PLENA_ASSERT_STANDS(store_row_stands, rd_req, rd_gnt, rd_row,
                       "a row is no longer asked for before it is granted")
  `PLENA_ASSERT_STANDS(store_chunk_stands, out_valid_q, out_ready, ({out_first_q, out_last_q,
                                                                     out_scale_q, out_addr_q}),
                       "a chunk goes or changes before it is taken")
  always @(posedge clk)
    if ((state_q != IDLE) !== 1'b0) begin
      `PLENA_ASSERT_HERE(store_rows, state_q != CAPTURE || left_q != '0,
                         "a store reads more rows than it has")
      `PLENA_ASSERT_HERE(store_ends, !end_valid || left_q == '0, "a store ends before its last row")
    end
endmodule

`default_nettype wire
