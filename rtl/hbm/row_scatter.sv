// row_scatter: writes runs of bytes that start at any address as AXI bursts with byte strobes, split at 4 KiB.
// One beat a cycle; a beat is on the write channel in the cycle after its chunk was taken.
// Specified in docs/microarchitecture.md, "HBM unit".
`timescale 1ns / 1ps
`default_nettype none

module row_scatter #(
    parameter logic [1:0] ID = 2'd1  // id of the writes in their group
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    input wire logic abort,  // forget the run; what stands on the bus stays, what is owed follows
    input wire logic [1:0] group,  // group of AXI ids
    input wire logic ready,  // it is free of late answers
    // chunks; a run is one or more chunks, all but the last of 64 bytes
    input wire logic in_valid,  // a chunk is there
    output logic in_ready,  // it is taken
    input wire logic in_first,  // first chunk of a run
    input wire logic in_last,  // last chunk of a run
    input wire logic [511:0] in_data,  // bytes; unused ones are 0
    input wire logic [63:0] in_strb,  // which bytes are used, from byte 0 up
    input wire logic [63:0] in_addr,  // byte address of the run (with in_first)
    input wire logic [9:0] in_bytes,  // bytes of the run (with in_first)
    // state
    output logic idle,  // everything written and answered
    output logic b_err,  // an answer with an error comes in this cycle
    output logic burst_step,  // a burst begins
    // AXI write channels
    `include "axi_write_ports.svh"
    input wire logic [1:0] m_axi_bgroup,  // group of the response
    input wire logic m_axi_bresp1,  // bit 1 of the response: error
    input wire logic m_axi_bvalid,  // response
    output logic m_axi_bready  // taken
);
  localparam int BURSTS = 63;  // bursts in flight

  logic [511:0] carry_q;  // the chunk before
  logic [ 63:0] carry_strb_q;
  logic [  5:0] offset_q;  // position of the run's first byte in its beat
  logic [ 57:0] beat_q;  // next beat
  logic [  3:0] total_q;  // beats left in the run
  logic [  3:0] seg_q;  // beats left in the burst
  logic         flush_q;  // the last chunk left bytes for one more beat
  logic [  5:0] open_q;  // bursts without an answer, aborted ones not counted
  logic         owing_q;  // an aborted burst still owes beats: they go out with strobes 0

  logic         first;
  logic [  5:0] offset;
  logic [ 57:0] beat;
  logic [  3:0] total;
  logic [  3:0] seg;
  logic [  6:0] page;  // beats up to the 4 KiB boundary
  logic         new_burst;
  logic         owing;
  logic         step_ok;
  logic         step;
  logic         b_step;

  assign first = !flush_q && in_first;
  assign offset = first ? in_addr[5:0] : offset_q;
  assign beat = first ? in_addr[63:6] : beat_q;
  assign total = first ? 4'((10'(in_addr[5:0]) + in_bytes + 10'd63) >> 6) : total_q;
  assign page = 7'd64 - {1'b0, beat[5:0]};
  assign owing = owing_q && seg_q != 4'd0;
  assign new_burst = seg_q == 4'd0;
  assign seg = !new_burst ? seg_q : ({3'd0, total} < page) ? total : page[3:0];
  assign step_ok = (!m_axi_wvalid || m_axi_wready) &&
      (!new_burst || ((!m_axi_awvalid || m_axi_awready) && open_q != 6'(BURSTS)));
  assign step = step_ok && (flush_q || in_valid || owing);
  assign in_ready = step_ok && !flush_q && !owing;
  assign burst_step = step && new_burst;
  assign b_step = m_axi_bvalid && ready && m_axi_bgroup == group;  // other answers are late
  assign b_err = b_step && m_axi_bresp1;
  assign idle = open_q == 6'd0 && !flush_q;  // a beat that stands belongs to an open or to an aborted burst

  assign m_axi_awsize = 3'd6;
  assign m_axi_awburst = 2'b01;
  assign m_axi_bready = 1'b1;

  always_ff @(posedge clk) begin
    if (step) begin
      m_axi_wdata <= 512'({flush_q ? 512'd0 : in_data, first ? 512'd0 : carry_q} >>
                          (10'd512 - {1'b0, offset, 3'd0}));
      m_axi_wstrb <= owing ? 64'd0 : 64'({flush_q ? 64'd0 : in_strb, first ? 64'd0 : carry_strb_q} >>
                         (7'd64 - {1'b0, offset}));
      m_axi_wlast <= seg == 4'd1;
      carry_q <= in_data;
      carry_strb_q <= in_strb;
      flush_q <= !owing && !flush_q && in_last && total != 4'd1;
      offset_q <= offset;
      beat_q <= beat + 58'd1;
      total_q <= total - 4'd1;
      seg_q <= seg - 4'd1;
    end
    if (burst_step) begin
      m_axi_awid   <= {group, ID};
      m_axi_awaddr <= {beat, 6'd0};
      m_axi_awlen  <= {4'd0, seg} - 8'd1;
    end
    if (burst_step || m_axi_awready) m_axi_awvalid <= burst_step;
    if (step || m_axi_wready) m_axi_wvalid <= step;
    if (burst_step != b_step) open_q <= burst_step ? open_q + 6'd1 : open_q - 6'd1;
    if (abort) owing_q <= 1'b1;
    else if (!owing) owing_q <= 1'b0;
    if (rst || abort) begin
      flush_q <= 1'b0;
      open_q  <= 6'd0;
    end
    if (rst) begin
      owing_q <= 1'b0;
      seg_q <= 4'd0;
      m_axi_awvalid <= 1'b0;
      m_axi_wvalid <= 1'b0;
    end
  end

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_STANDS(write_address_stands, m_axi_awvalid, m_axi_awready, ({
                       m_axi_awid, m_axi_awaddr, m_axi_awlen}),
                       "a write address goes or changes before it is taken")
  `PLENA_ASSERT_STANDS(write_data_stands, m_axi_wvalid, m_axi_wready, ({m_axi_wdata, m_axi_wstrb,
                                                                        m_axi_wlast}),
                       "write data go or change before they are taken")
  `PLENA_ASSERT_WHEN(scatter_answer, b_step, open_q != 6'd0,
                     "a response comes that no burst waits for")
  always @(posedge clk)
    if (step !== 1'b0) begin
      `PLENA_ASSERT_HERE(scatter_page, !burst_step || 7'(beat[5:0]) + 7'(seg) <= 7'd64,
                         "a write burst crosses a multiple of 4 KiB")
      `PLENA_ASSERT_HERE(scatter_beats, owing || total != 4'd0,
                         "a run goes on behind its last beat")
      `PLENA_ASSERT_HERE(scatter_burst_ends, owing || total != 4'd1 || seg == 4'd1,
                         "a run ends inside a burst")
      `PLENA_ASSERT_HERE(scatter_low_bytes, !in_valid || (in_strb & (in_strb + 64'd1)) == 64'd0,
                         "the bytes of a chunk have a gap")
      `PLENA_ASSERT_HERE(scatter_whole_chunks, !in_valid || in_last || in_strb == '1,
                         "a chunk that is not the last has fewer than 64 bytes")
    end
endmodule

`default_nettype wire
