// hbm_unit: the HBM port; queue of prefetches and stores, their engines, and the AXI4 master that instruction fetch shares.
// Prefetches issue in order and overlap; a store begins when every older prefetch has its data; any memory latency is right.
// Specified in docs/microarchitecture.md, "HBM unit"; instructions in docs/isa.md, "HBM instructions".
`timescale 1ns / 1ps
`default_nettype none

module hbm_unit #(
    parameter int MLEN = 64,  // elements of a row and rows of a tile; a power of two
    parameter int BLEN = 16,  // elements a VRAM write-mask bit
    parameter int VRW = 14,  // bits of a VRAM row number
    parameter int TW = 6,  // bits of an MSRAM tile number
    parameter int MX_BLOCK = 8,  // elements a scale byte; a power of two
    parameter int ELEMENT = 0,  // element format: see mx_format.svh
    parameter int HBM_BF16 = 0,  // transfers whose rows lie as bf16; 0: none, and push_bf16 is not looked at
    parameter int VPREF = 16,  // rows of H_PREFETCH_V
    parameter int VSTORE = 16,  // rows of H_STORE_V
    parameter int Q = 4,  // slots of the queue; a power of two
    parameter int ELEM_BEATS = 128,  // element beats in flight; a power of two
    parameter int SCALE_BEATS = (MLEN > 128) ? 128 : 64,  // scale beats in flight; a power of two
    parameter int BURST = 16  // longest read burst in beats; a power of two
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    input wire logic abort,  // forget every transfer; the bus is left as AXI wants it, late answers are swallowed
    input wire logic flush,  // drop slots not issued, clear faults (when idle); slot numbers go on
    output logic idle,  // nothing in flight, and no slot that will begin by itself
    output logic ids_ready,  // the group of AXI ids is free of late answers
    output logic late_reads,  // reads of an aborted program are unanswered
    output logic late_writes,  // writes of an aborted program are unanswered
    // push
    input wire logic push,  // an instruction enters
    input wire logic [plena_pkg::UNIT_OP_W-1:0] push_op,  // operation, see docs/microarchitecture.md
    input wire logic [63:0] push_ebase,  // byte address of the first element row
    input wire logic [63:0] push_sbase,  // byte address of the first scale row
    input wire logic [31:0] push_stride,  // bytes between element rows
    input wire logic push_bf16,  // the rows lie in HBM as bf16, without scales
    input wire logic [TW-1:0] push_tile,  // MSRAM tile of H_PREFETCH_M
    input wire logic [VRW-1:0] push_row,  // first VRAM row of H_PREFETCH_V, H_STORE_V
    // scoreboard
    input wire logic [Q-1:0] slot_ready,  // no dependency left
    output logic [Q-1:0] slot_rd_done,  // a store has captured its rows
    output logic [Q-1:0] slot_done,  // everything is written and visible from the next cycle on
    output logic [Q-1:0] slot_fault,  // bus error, instead of slot_done; stays until flush
    // counters: the head is the oldest transfer that has not begun
    output logic [$clog2(Q)-1:0] head,  // its slot
    output logic head_valid,  // there is one, or one is under way
    output logic head_issues,  // a transfer begins, or data or requests move
    output logic head_waits,  // it waits for other instructions
    output logic head_refused,  // VRAM withholds a row
    output logic head_bus,  // data, answers or channels of the bus are awaited
    output logic read_beat,  // a data beat comes
    output logic write_beat,  // a beat goes out
    // VRAM read port (stores)
    output logic rd_req,  // request
    output logic [VRW-1:0] rd_row,  // row
    input wire logic rd_gnt,  // taken; data in the next cycle
    input wire logic [MLEN*16-1:0] rd_data,  // data
    // VRAM write port (prefetches)
    `include "vram_write_ports.svh"
    // MSRAM write port (prefetches), always accepted
    output logic ms_wr_en,  // write
    output logic [TW-1:0] ms_wr_tile,  // tile
    output logic [$clog2(MLEN)-1:0] ms_wr_idx,  // row of the tile
    output logic [MLEN*16-1:0] ms_wr_data,  // data
    // instruction fetch: lines of 64 bytes, answered in order
    input wire logic if_req,  // request
    input wire logic [63:0] if_addr,  // byte address, 64-byte aligned
    output logic if_gnt,  // taken
    output logic if_rvalid,  // a line comes; always taken
    output logic [511:0] if_rdata,  // the line
    output logic if_rerr,  // it came with an error
    // AXI4 master
    `include "axi_write_ports.svh"
    input wire logic [3:0] m_axi_bid,  // write response: id
    input wire logic [1:0] m_axi_bresp,  // bit 1: error
    input wire logic m_axi_bvalid,  // response
    output logic m_axi_bready,  // always taken
    `include "axi_read_ports.svh"
    input wire logic [3:0] m_axi_rid,  // read data: id
    input wire logic [511:0] m_axi_rdata,  // bytes
    input wire logic [1:0] m_axi_rresp,  // bit 1: error
    input wire logic m_axi_rlast,  // last beat of the burst
    input wire logic m_axi_rvalid,  // beat
    output logic m_axi_rready  // always taken
);
  localparam int QW = $clog2(Q);
  // AXI ids: two bits for the group, and in each group
  localparam logic [1:0] ID_FETCH = 2'd0;
  localparam logic [1:0] ID_ELEM = 2'd1;
  localparam logic [1:0] ID_SCALE = 2'd2;

  initial begin
    if (Q < 2 || (Q & (Q - 1)) != 0)
      $fatal(1, "hbm_unit: Q=%0d must be a power of two of at least 2", Q);
  end

  // Nothing depends on the kind of a write response (there is one), or on EXOKAY.
  logic unused_axi;
  assign unused_axi = ^{m_axi_bid[1:0], m_axi_bresp[0], m_axi_rresp[0]};

  // Answers of the present group count; others are late answers to an aborted program, which are swallowed.
  logic [1:0] group;
  logic read_step, write_step, own_read;
  assign own_read = m_axi_rvalid && ids_ready && m_axi_rid[3:2] == group;
  id_groups #(
      .READS (ELEM_BEATS + SCALE_BEATS + 16),
      .WRITES(63)
  ) u_groups (
      .clk(clk),
      .rst(rst),
      .abort(abort),
      .read_step(read_step),
      .read_end(m_axi_rvalid && m_axi_rlast),
      .read_group(m_axi_rid[3:2]),
      .write_step(write_step),
      .write_end(m_axi_bvalid),
      .write_group(m_axi_bid[3:2]),
      .group(group),
      .ready(ids_ready),
      .late_reads(late_reads),
      .late_writes(late_writes)
  );

  // Slots: payload, and what is still to be begun for each. Three pointers walk the slots in program order: requests,
  // scale rows, and element rows; the last one also starts the stores.
  logic [Q-1:0] is_store_q;
  logic [Q-1:0] is_tile_q;
  logic [Q-1:0] is_inert_q;  // no operation that the table names: passes as a store that does nothing
  logic [63:0] ebase_q[0:Q-1];
  logic [63:0] sbase_q[0:Q-1];
  logic [31:0] stride_q[0:Q-1];
  logic [Q-1:0] is_bf16_q;
  logic [TW-1:0] tile_q[0:Q-1];
  logic [VRW-1:0] row_q[0:Q-1];
  logic [Q-1:0] todo_request_q;
  logic [Q-1:0] todo_scale_q;
  logic [Q-1:0] todo_elem_q;
  logic [QW-1:0] push_ptr_q;
  logic [QW-1:0] request_ptr_q;
  logic [QW-1:0] scale_ptr_q;
  logic [QW-1:0] elem_ptr_q;
  logic storing_q;  // the store at elem_ptr has begun
  logic [QW-1:0] store_slot_q;
  logic stop;  // after a fault nothing more begins

  logic request_valid, request_ready, request_step;
  logic scale_valid, scale_ready, scale_step;
  logic elem_valid, elem_ready, elem_step, elem_idle;
  logic store_valid, store_ready, store_start, inert_step;
  logic read_end, read_end_err, read_idle;
  logic [QW-1:0] read_end_slot;
  logic dma_req, dma_gnt, dma_scale;
  logic [63:0] dma_addr;
  logic [ 7:0] dma_len;
  logic store_captured, store_end, store_end_err, store_idle;

  assign stop = slot_fault != '0;
  assign request_valid = todo_request_q[request_ptr_q] && !is_store_q[request_ptr_q] &&
      slot_ready[request_ptr_q] && !stop;
  assign request_step = todo_request_q[request_ptr_q] &&
      (is_store_q[request_ptr_q] || (request_valid && request_ready));
  assign scale_valid = todo_scale_q[scale_ptr_q] && !is_store_q[scale_ptr_q] &&
      !is_bf16_q[scale_ptr_q] && !todo_request_q[scale_ptr_q];
  assign scale_step = todo_scale_q[scale_ptr_q] &&
      (is_store_q[scale_ptr_q] || is_bf16_q[scale_ptr_q] || (scale_valid && scale_ready));
  assign elem_valid = todo_elem_q[elem_ptr_q] && !is_store_q[elem_ptr_q] && !todo_request_q[elem_ptr_q];
  assign store_valid = todo_elem_q[elem_ptr_q] && is_store_q[elem_ptr_q] && !todo_request_q[elem_ptr_q] &&
      !todo_scale_q[elem_ptr_q] && slot_ready[elem_ptr_q] && elem_idle && !storing_q && !stop &&
      !is_inert_q[elem_ptr_q];
  assign inert_step = todo_elem_q[elem_ptr_q] && is_inert_q[elem_ptr_q] && !todo_request_q[elem_ptr_q] &&
      !todo_scale_q[elem_ptr_q] && slot_ready[elem_ptr_q] && !stop;
  assign store_start = store_valid && store_ready;
  // rows of younger prefetches are written only after the store has read its own
  assign elem_step = (elem_valid && elem_ready) || store_captured || inert_step ||
      (todo_elem_q[elem_ptr_q] && is_store_q[elem_ptr_q] && !storing_q && stop);

  always_comb begin
    slot_done = '0;
    slot_rd_done = '0;
    if (read_end && !read_end_err) slot_done[read_end_slot] = 1'b1;
    if (store_end && !store_end_err) slot_done[store_slot_q] = 1'b1;
    if (store_captured) slot_rd_done[store_slot_q] = 1'b1;
    if (inert_step) slot_done[elem_ptr_q] = 1'b1;
  end
  assign idle = read_idle && store_idle && (stop || todo_elem_q == '0);

  // For the counters
  logic [Q-1:0] unbegun;
  logic [15:0] owed_q;  // data beats asked for that have not come
  logic answering;  // a store waits for the answers to its last writes
  logic moves;
  assign unbegun = (todo_request_q & ~is_store_q) |
      (todo_elem_q & is_store_q & ~(storing_q ? {{(Q - 1) {1'b0}}, 1'b1} << elem_ptr_q : '0));
  always_comb begin : oldest
    logic [QW-1:0] slot;
    logic found;
    head  = push_ptr_q;
    found = 1'b0;
    for (int k = 0; k < Q; k++) begin
      slot = push_ptr_q + QW'(k);
      if (!found && unbegun[slot]) begin
        found = 1'b1;
        head  = slot;
      end
    end
  end
  assign head_valid = unbegun != '0 || !read_idle || !store_idle;
  assign head_waits = unbegun[head] && !slot_ready[head];
  assign head_refused = (rd_req && !rd_gnt) || (wr_req && !wr_gnt);
  assign head_bus = owed_q != '0 || answering || (dma_req && !dma_gnt) ||
      (m_axi_awvalid && !m_axi_awready) || (m_axi_wvalid && !m_axi_wready);
  assign read_beat = own_read && m_axi_rid[1:0] != ID_FETCH;
  assign write_beat = m_axi_wvalid && m_axi_wready;
  assign moves = (wr_req && wr_gnt) || ms_wr_en || (rd_req && rd_gnt) || (dma_req && dma_gnt);
  assign head_issues = (request_valid && request_ready) || store_start || read_beat || write_beat || moves;
  always_ff @(posedge clk)
    if (rst || abort) owed_q <= '0;
    else if ((dma_req && dma_gnt) || read_beat)
      owed_q <= owed_q + (dma_req && dma_gnt ? 16'(dma_len) + 16'd1 : 16'd0) - 16'(read_beat);

  always_ff @(posedge clk) begin
    if (push) begin
      is_store_q[push_ptr_q] <= push_op == plena_pkg::H_OP_STORE_V || !plena_pkg::h_op_legal(
          push_op
      );
      is_inert_q[push_ptr_q] <= !plena_pkg::h_op_legal(push_op);
      is_tile_q[push_ptr_q] <= push_op == plena_pkg::H_OP_PREFETCH_M;
      ebase_q[push_ptr_q] <= push_ebase;
      sbase_q[push_ptr_q] <= push_sbase;
      stride_q[push_ptr_q] <= push_stride;
      is_bf16_q[push_ptr_q] <= push_bf16 && HBM_BF16 != 0;
      tile_q[push_ptr_q] <= push_tile;
      row_q[push_ptr_q] <= push_row;
      todo_request_q[push_ptr_q] <= 1'b1;
      todo_scale_q[push_ptr_q] <= 1'b1;
      todo_elem_q[push_ptr_q] <= 1'b1;
      push_ptr_q <= push_ptr_q + 1'b1;
    end
    if (request_step) begin
      todo_request_q[request_ptr_q] <= 1'b0;
      request_ptr_q <= request_ptr_q + 1'b1;
    end
    if (scale_step) begin
      todo_scale_q[scale_ptr_q] <= 1'b0;
      scale_ptr_q <= scale_ptr_q + 1'b1;
    end
    if (elem_step) begin
      todo_elem_q[elem_ptr_q] <= 1'b0;
      elem_ptr_q <= elem_ptr_q + 1'b1;
    end
    if (store_start) begin
      storing_q <= 1'b1;
      store_slot_q <= elem_ptr_q;
    end
    if (store_captured) storing_q <= 1'b0;
    if (read_end && read_end_err) slot_fault[read_end_slot] <= 1'b1;
    if (store_end && store_end_err) slot_fault[store_slot_q] <= 1'b1;
    if (rst || abort || flush) begin
      todo_request_q <= '0;
      todo_scale_q <= '0;
      todo_elem_q <= '0;
      request_ptr_q <= push_ptr_q;
      scale_ptr_q <= push_ptr_q;
      elem_ptr_q <= push_ptr_q;
      slot_fault <= '0;
      storing_q <= 1'b0;
    end
    if (rst || abort) begin
      push_ptr_q <= '0;
      request_ptr_q <= '0;
      scale_ptr_q <= '0;
      elem_ptr_q <= '0;
    end
  end

  assign m_axi_rready = 1'b1;
  assign if_rvalid = own_read && m_axi_rid[1:0] == ID_FETCH;
  assign if_rdata = m_axi_rdata;
  assign if_rerr = m_axi_rresp[1];

  dma_read #(
      .MLEN(MLEN),
      .BLEN(BLEN),
      .VRW(VRW),
      .TW(TW),
      .MX_BLOCK(MX_BLOCK),
      .ELEMENT(ELEMENT),
      .BF16(1'(HBM_BF16 != 0)),
      .VPREF(VPREF),
      .ELEM_BEATS(ELEM_BEATS),
      .SCALE_BEATS(SCALE_BEATS),
      .BURST(BURST),
      .QW(QW)
  ) u_read (
      .clk(clk),
      .rst(rst || abort),
      .req_valid(request_valid),
      .req_ready(request_ready),
      .req_tile(is_tile_q[request_ptr_q]),
      .req_ebase(ebase_q[request_ptr_q]),
      .req_sbase(sbase_q[request_ptr_q]),
      .req_stride(stride_q[request_ptr_q]),
      .req_bf16(is_bf16_q[request_ptr_q]),
      .scale_valid(scale_valid),
      .scale_ready(scale_ready),
      .scale_tile(is_tile_q[scale_ptr_q]),
      .scale_offset(sbase_q[scale_ptr_q][5:0]),
      .scale_stride(stride_q[scale_ptr_q]),
      .elem_valid(elem_valid),
      .elem_ready(elem_ready),
      .elem_tile(is_tile_q[elem_ptr_q]),
      .elem_offset(ebase_q[elem_ptr_q][5:0]),
      .elem_stride(stride_q[elem_ptr_q]),
      .elem_bf16(is_bf16_q[elem_ptr_q]),
      .elem_slot(elem_ptr_q),
      .elem_dtile(tile_q[elem_ptr_q]),
      .elem_row(row_q[elem_ptr_q]),
      .elem_idle(elem_idle),
      .end_valid(read_end),
      .end_slot(read_end_slot),
      .end_err(read_end_err),
      .idle(read_idle),
      .ar_req(dma_req),
      .ar_gnt(dma_gnt),
      .ar_scale(dma_scale),
      .ar_addr(dma_addr),
      .ar_len(dma_len),
      .r_elem(own_read && m_axi_rid[1:0] == ID_ELEM),
      .r_scale(own_read && m_axi_rid[1:0] == ID_SCALE),
      .r_data(m_axi_rdata),
      .r_err(m_axi_rresp[1]),
      .wr_req(wr_req),
      .wr_row(wr_row),
      .wr_data(wr_data),
      .wr_mask(wr_mask),
      .wr_gnt(wr_gnt),
      .ms_wr_en(ms_wr_en),
      .ms_wr_tile(ms_wr_tile),
      .ms_wr_idx(ms_wr_idx),
      .ms_wr_data(ms_wr_data)
  );

  axi_read_arbiter #(
      .ID_FETCH(ID_FETCH),
      .ID_ELEM (ID_ELEM),
      .ID_SCALE(ID_SCALE)
  ) u_arbiter (
      .step(read_step),
      .*
  );

  dma_write #(
      .MLEN(MLEN),
      .VRW(VRW),
      .MX_BLOCK(MX_BLOCK),
      .ELEMENT(ELEMENT),
      .BF16(1'(HBM_BF16 != 0)),
      .VSTORE(VSTORE)
  ) u_write (
      .ready(ids_ready),
      .start_valid(store_valid),
      .start_ready(store_ready),
      .start_ebase(ebase_q[elem_ptr_q]),
      .start_sbase(sbase_q[elem_ptr_q]),
      .start_stride(stride_q[elem_ptr_q]),
      .start_bf16(is_bf16_q[elem_ptr_q]),
      .start_row(row_q[elem_ptr_q]),
      .captured(store_captured),
      .end_valid(store_end),
      .end_err(store_end_err),
      .idle(store_idle),
      .burst_step(write_step),
      .m_axi_bgroup(m_axi_bid[3:2]),
      .m_axi_bresp1(m_axi_bresp[1]),
      .*
  );

  `PLENA_ASSERT_RESET(rst || abort)

  always @(posedge clk)
    if (push !== 1'b0) begin
      `PLENA_ASSERT_HERE(hbm_operation, plena_pkg::h_op_legal(push_op),
                         "the HBM unit is given an operation that it does not know")
      `PLENA_ASSERT_HERE(
          hbm_slot_free,
          {todo_request_q[push_ptr_q], todo_scale_q[push_ptr_q], todo_elem_q[push_ptr_q]} == 3'd0,
          "a transfer enters a slot that has not begun its own")
    end
  `PLENA_ASSERT_WHEN(hbm_flush_idle, flush, idle, "transfers are dropped that are under way")
  always @(posedge clk)
    if (read_beat !== 1'b0) begin
      `PLENA_ASSERT_HERE(hbm_beat_owed, owed_q != '0, "a data beat comes that nobody asked for")
      `PLENA_ASSERT_HERE(hbm_read_id, m_axi_rid[1:0] != 2'd3,
                         "a beat comes with an id that is not in use")
    end
  `PLENA_ASSERT_WHEN(hbm_one_end, read_end, !(store_end && read_end_slot == store_slot_q),
                     "a transfer ends twice")
endmodule

`default_nettype wire
