// PLENA core: frontend, matrix, vector and float units, memories, the HBM port and the control registers, tied together.
// Timing: see each unit; between units there is ready/valid only, so no latency changes a result.
// Specified in docs/microarchitecture.md.
`timescale 1ns / 1ps
`default_nettype none

module plena_core #(
    `include "shape_parameters.svh"
    parameter int ELEMENT = 0,  // element format of HBM: see mx_format.svh
    parameter int LOOP_DEPTH = 8,  // loops that may nest: 1..255
    parameter int DISPATCH_WIDTH = 2,  // instructions dispatched a cycle at most: 1 or 2
    parameter int ICACHE_LINES = 128  // instruction cache lines of 64 bytes
) (
    input  wire logic         clk,           // clock
    input  wire logic         rst,           // synchronous reset
    output logic              irq,           // a program stopped
    // AXI4-Lite slave: control registers
    `include "axil_ports.svh"
    // AXI4 master: HBM
    `include "axi_read_ports.svh"
    input  wire logic [  3:0] m_axi_rid,     // read data id
    input  wire logic [511:0] m_axi_rdata,   // read data
    input  wire logic [  1:0] m_axi_rresp,   // read response
    input  wire logic         m_axi_rlast,   // last beat of a burst
    input  wire logic         m_axi_rvalid,  // read data valid
    output logic              m_axi_rready,  // read data taken
    `include "axi_write_ports.svh"
    input  wire logic [  3:0] m_axi_bid,     // write response id
    input  wire logic [  1:0] m_axi_bresp,   // write response
    input  wire logic         m_axi_bvalid,  // write response valid
    output logic              m_axi_bready,  // write response taken
    // Retired instructions
    output logic      [  1:0] trace_valid,   // an instruction retires, a second one behind it
    output logic      [ 31:0] trace_pc,      // pc of the first; the second one's is the next
    output logic      [ 63:0] trace_instr    // their words, the first one's lowest
);
  localparam int P = MLEN / BLEN;
  localparam int ROW = MLEN * 16;
  localparam int VRW = $clog2(VRAM_ELEMS / MLEN);
  localparam int TW = MSRAM_TILES > 1 ? $clog2(MSRAM_TILES) : 1;
  localparam int LM = $clog2(MLEN);
  localparam int FAW = $clog2(FP_WORDS);
  localparam int IAW = $clog2(INT_WORDS);
  // Queue depths. Matrix: P V of two column blocks, products and write-outs, so that dispatch goes on beside them; at least
  // 16, which cover the latency of a write-out at BLEN = 4, and at most 64; 32 where products are short and a simulated
  // cycle is cheap beside the scoreboard's.
  localparam int PRODUCTS = 4 * P * P;
  localparam int MOST = MLEN < 32 ? 32 : 64;
  localparam int NM = PRODUCTS > MOST ? MOST : PRODUCTS < 16 ? 16 : PRODUCTS;
  localparam int NV = 8;
  localparam int NF = 8;
  localparam int NH = 4;
  localparam int V0 = NM;
  localparam int F0 = NM + NV;
  localparam int H0 = NM + NV + NF;
  localparam int NS = NM + NV + NF + NH;

  shape_check #(
      `include "shape_connections.svh"
      .ELEMENT(ELEMENT),
      .LOOP_DEPTH(LOOP_DEPTH),
      .DISPATCH_WIDTH(DISPATCH_WIDTH)
  ) u_shape ();

  // Control registers and frontend
  logic start, resume, abort, running, stop, stop_undrained, stop_fault;
  logic ids_ready, late_reads, late_writes;
  logic [31:0] resume_pc, length, drain_limit, stop_pc, scale, stride;
  logic [63:0] base, limit, watchdog, cycles, instructions;
  logic [3:0] stop_cause;
  logic [511:0] gp_state;
  logic [511:0] a_state;
  logic [127:0] f_state;
  logic [MLEN/HLEN-1:0] v_mask;
  logic counter_read, counter_hit;
  logic [31:0] counter_word;
  logic [11:0] counter_address;

  control_regs #(
      `include "shape_connections.svh"
      .ELEMENT(ELEMENT),
      .LOOP_DEPTH(LOOP_DEPTH)
  ) u_regs (
      .*
  );

  // An abort resets everything but the control registers and what stands on the bus.
  logic units_rst;
  assign units_rst = rst || abort;

  // Counters, one bit a unit: {HBM, float, vector, matrix}
  logic [3:0] head_valid, head_issues, head_waits, head_refused, busy, dispatch_state;
  logic [$clog2(NM)-1:0] head_m;
  logic [$clog2(NV)-1:0] head_v;
  logic [$clog2(NF)-1:0] head_f;
  logic [$clog2(NH)-1:0] head_h;
  logic head_row;
  logic [19:0] hazards;
  logic [11:0] retired;
  logic [1:0] issued;
  logic matrix_busy, head_bus, vector_row, read_beat, write_beat;
  logic [31:0] macs;

  logic flush, init, vector_f;
  logic [3:0] push;
  logic [plena_pkg::UNIT_OP_W-1:0] unit_op;
  logic [VRW-1:0] row_a, row_b, row_d, row_stride;
  logic [ TW-1:0] tile;
  logic [ LM-1:0] offset;
  logic [FAW-1:0] fp_address;
  logic [2:0] f_d, f_a, f_b;
  logic [MLEN-1:0] lane_mask;
  logic [LM:0] shift;
  logic [63:0] element_base, scale_base;
  logic bf16_rows;
  logic [31:0] element_stride;
  logic [NS-1:0] slot_ready, slot_rd_done, slot_done;
  logic [NH-1:0] hbm_fault;
  logic hbm_idle;
  logic int_rd_en, int_wr_en;
  logic [IAW-1:0] int_address;
  logic [31:0] int_rd_data, int_wr_data;
  // V_TOPK writes both scalar memories: FP_MEM when the float unit does not, INT_MEM while dispatch keeps off it.
  logic topk_fp_en, topk_int_en, int_busy;
  logic [FAW-1:0] topk_fp_addr;
  logic [15:0] topk_fp_data;
  logic [IAW-1:0] topk_int_addr;
  logic [31:0] topk_int_data;
  logic if_req, if_gnt, if_rvalid, if_rerr;
  logic [ 63:0] if_addr;
  logic [511:0] if_rdata;

  frontend #(
      `include "shape_connections.svh"
      .LOOP_DEPTH(LOOP_DEPTH),
      .ICACHE_LINES(ICACHE_LINES),
      .DISPATCH_WIDTH(DISPATCH_WIDTH),
      .NM(NM),
      .NV(NV),
      .NF(NF),
      .NH(NH),
      .VRW(VRW),
      .TW(TW),
      .FAW(FAW),
      .IAW(IAW)
  ) u_front (
      .rst(units_rst),
      .*
  );

  ram_1r1w #(
      .WIDTH(32),
      .WORDS(INT_WORDS)
  ) u_intmem (
      .clk(clk),
      .rd_en(int_rd_en),
      .rd_addr(int_address),
      .rd_data(int_rd_data),
      .wr_en(int_wr_en || topk_int_en),
      .wr_addr(topk_int_en ? topk_int_addr : int_address),
      .wr_data(topk_int_en ? topk_int_data : int_wr_data)
  );

  // VRAM: readers matrix, vector a, vector b, store; writers write-out, vector, DMA
  logic [3:0] vr_req, vr_gnt;
  logic [4*VRW-1:0] vr_row;
  logic [4*ROW-1:0] vr_data;
  logic [2:0] vw_req, vw_gnt;
  logic [3*VRW-1:0] vw_row;
  logic [3*ROW-1:0] vw_data;
  logic [  3*P-1:0] vw_mask;
  assign vw_mask[P+:P] = '1;

  vram #(
      .MLEN(MLEN),
      .BLEN(BLEN),
      .VRAM_ELEMS(VRAM_ELEMS)
  ) u_vram (
      .clk(clk),
      .rst(units_rst),
      .rd_req(vr_req),
      .rd_row(vr_row),
      .rd_gnt(vr_gnt),
      .rd_data(vr_data),
      .wr_req(vw_req),
      .wr_row(vw_row),
      .wr_data(vw_data),
      .wr_mask(vw_mask),
      .wr_gnt(vw_gnt)
  );

  assign busy = {!hbm_idle, issued, matrix_busy};
  perf_counters u_counters (
      .rst(units_rst),
      .fetch_line(if_rvalid),
      .write_refused({vw_req[2] && !vw_gnt[2], vw_req[1] && !vw_gnt[1], vw_req[0] && !vw_gnt[0]}),
      .*
  );

  // MSRAM: read by the matrix unit, written by the DMA
  logic ms_rd_en, ms_rd_col, ms_wr_en;
  logic [TW-1:0] ms_rd_tile, ms_wr_tile;
  logic [LM-1:0] ms_rd_idx, ms_wr_idx;
  logic [ROW-1:0] ms_rd_data, ms_wr_data;

  msram #(
      .MLEN(MLEN),
      .MSRAM_TILES(MSRAM_TILES)
  ) u_msram (
      .clk(clk),
      .rd_en(ms_rd_en),
      .rd_col(ms_rd_col),
      .rd_tile(ms_rd_tile),
      .rd_idx(ms_rd_idx),
      .rd_data(ms_rd_data),
      .wr_en(ms_wr_en),
      .wr_tile(ms_wr_tile),
      .wr_idx(ms_wr_idx),
      .wr_data(ms_wr_data)
  );

  matrix_unit #(
      .MLEN(MLEN),
      .BLEN(BLEN),
      .HLEN(HLEN),
      .VRW(VRW),
      .TW(TW),
      .Q(NM)
  ) u_matrix (
      .clk(clk),
      .rst(units_rst),
      .flush(flush),
      .init(init),
      .push(push[0]),
      .push_op(unit_op),
      .push_row(unit_op[plena_pkg::M_WRITE_OUT] ? row_d : row_a),
      .push_stride(row_stride),
      .push_tile(tile),
      .push_off(offset),
      .slot_ready(slot_ready[0+:NM]),
      .slot_rd_done(slot_rd_done[0+:NM]),
      .slot_done(slot_done[0+:NM]),
      .head(head_m),
      .head_valid(head_valid[0]),
      .head_issues(head_issues[0]),
      .head_waits(head_waits[0]),
      .head_refused(head_refused[0]),
      .busy(matrix_busy),
      .macs(macs),
      .rd_req(vr_req[0]),
      .rd_row(vr_row[0+:VRW]),
      .rd_gnt(vr_gnt[0]),
      .rd_data(vr_data[0+:ROW]),
      .ms_rd_en(ms_rd_en),
      .ms_rd_col(ms_rd_col),
      .ms_rd_tile(ms_rd_tile),
      .ms_rd_idx(ms_rd_idx),
      .ms_rd_data(ms_rd_data),
      .wr_req(vw_req[0]),
      .wr_row(vw_row[0+:VRW]),
      .wr_data(vw_data[0+:ROW]),
      .wr_mask(vw_mask[0+:P]),
      .wr_gnt(vw_gnt[0])
  );

  // FP_MEM and the f registers tie the vector and the float unit together.
  logic fp_s_rd_en, fp_s_rd_gnt, fp_w_rd_en, fp_wr_en;
  logic [FAW-1:0] fp_s_rd_addr, fp_w_rd_addr, fp_wr_addr;
  logic [15:0] fp_s_rd_data, fp_wr_data;
  logic [ROW-1:0] fp_w_rd_data;
  logic [2:0] f_rsel, f_wsel;
  logic [15:0] f_rdata, f_wdata;
  logic f_wen;

  fpmem #(
      .MLEN(MLEN),
      .FP_WORDS(FP_WORDS)
  ) u_fpmem (
      .clk(clk),
      .s_rd_en(fp_s_rd_en),
      .s_rd_addr(fp_s_rd_addr),
      .s_rd_gnt(fp_s_rd_gnt),
      .s_rd_data(fp_s_rd_data),
      .w_rd_en(fp_w_rd_en),
      .w_rd_addr(fp_w_rd_addr),
      .w_rd_data(fp_w_rd_data),
      .wr_en(fp_wr_en || topk_fp_en),
      .wr_addr(fp_wr_en ? fp_wr_addr : topk_fp_addr),
      .wr_data(fp_wr_en ? fp_wr_data : topk_fp_data)
  );

  vector_unit #(
      .MLEN(MLEN),
      .VRW(VRW),
      .FAW(FAW),
      .IAW(IAW),
      .Q(NV)
  ) u_vector (
      .clk(clk),
      .rst(units_rst),
      .flush(flush),
      .push(push[1]),
      .push_op(unit_op),
      .push_vf(vector_f),
      .push_row_a(row_a),
      .push_row_b(row_b),
      .push_row_d(row_d),
      .push_f(vector_f ? f_b : f_d),
      .push_mask(lane_mask),
      .push_shift(shift),
      .push_fpaddr(fp_address),
      .push_intaddr(int_address),
      .slot_ready(slot_ready[V0+:NV]),
      .slot_rd_done(slot_rd_done[V0+:NV]),
      .slot_done(slot_done[V0+:NV]),
      .head(head_v),
      .head_valid(head_valid[1]),
      .head_issues(head_issues[1]),
      .head_waits(head_waits[1]),
      .head_row(head_row),
      .head_refused(head_refused[1]),
      .row_step(vector_row),
      .rd_a_req(vr_req[1]),
      .rd_a_row(vr_row[VRW+:VRW]),
      .rd_a_gnt(vr_gnt[1]),
      .rd_a_data(vr_data[ROW+:ROW]),
      .rd_b_req(vr_req[2]),
      .rd_b_row(vr_row[2*VRW+:VRW]),
      .rd_b_gnt(vr_gnt[2]),
      .rd_b_data(vr_data[2*ROW+:ROW]),
      .wr_req(vw_req[1]),
      .wr_row(vw_row[VRW+:VRW]),
      .wr_data(vw_data[ROW+:ROW]),
      .wr_gnt(vw_gnt[1]),
      .fp_rd_en(fp_w_rd_en),
      .fp_rd_addr(fp_w_rd_addr),
      .fp_rd_data(fp_w_rd_data),
      .fp_wr_en(topk_fp_en),
      .fp_wr_addr(topk_fp_addr),
      .fp_wr_data(topk_fp_data),
      .fp_wr_gnt(!fp_wr_en),
      .int_wr_en(topk_int_en),
      .int_wr_addr(topk_int_addr),
      .int_wr_data(topk_int_data),
      .int_busy(int_busy),
      .f_rsel(f_rsel),
      .f_rdata(f_rdata),
      .f_wen(f_wen),
      .f_wsel(f_wsel),
      .f_wdata(f_wdata)
  );

  float_unit #(
      .FAW(FAW),
      .Q  (NF)
  ) u_float (
      .clk(clk),
      .rst(units_rst),
      .flush(flush),
      .init(init),
      .push(push[2]),
      .push_op(unit_op),
      .push_fd(f_d),
      .push_fa(unit_op == plena_pkg::F_OP_ST ? f_d : f_a),
      .push_fb(f_b),
      .push_fpaddr(fp_address),
      .slot_ready(slot_ready[F0+:NF]),
      .slot_rd_done(slot_rd_done[F0+:NF]),
      .slot_done(slot_done[F0+:NF]),
      .head(head_f),
      .head_valid(head_valid[2]),
      .head_issues(head_issues[2]),
      .head_waits(head_waits[2]),
      .head_refused(head_refused[2]),
      .s_rd_en(fp_s_rd_en),
      .s_rd_addr(fp_s_rd_addr),
      .s_rd_gnt(fp_s_rd_gnt),
      .s_rd_data(fp_s_rd_data),
      .wr_en(fp_wr_en),
      .wr_addr(fp_wr_addr),
      .wr_data(fp_wr_data),
      .v_rsel(f_rsel),
      .v_rdata(f_rdata),
      .v_wen(f_wen),
      .v_wsel(f_wsel),
      .v_wdata(f_wdata),
      .f_state(f_state)
  );

  hbm_unit #(
      .MLEN(MLEN),
      .BLEN(BLEN),
      .VRW(VRW),
      .TW(TW),
      .VPREF(VPREF),
      .VSTORE(VSTORE),
      .MX_BLOCK(MX_BLOCK),
      .ELEMENT(ELEMENT),
      .HBM_BF16(HBM_BF16),
      .Q(NH)
  ) u_hbm (
      .push(push[3]),
      .push_op(unit_op),
      .push_ebase(element_base),
      .push_sbase(scale_base),
      .push_bf16(bf16_rows),
      .push_stride(element_stride),
      .push_tile(tile),
      .push_row(unit_op == plena_pkg::H_OP_STORE_V ? row_a : row_d),
      .slot_ready(slot_ready[H0+:NH]),
      .slot_rd_done(slot_rd_done[H0+:NH]),
      .slot_done(slot_done[H0+:NH]),
      .head(head_h),
      .head_valid(head_valid[3]),
      .head_issues(head_issues[3]),
      .head_waits(head_waits[3]),
      .head_refused(head_refused[3]),
      .slot_fault(hbm_fault),
      .idle(hbm_idle),
      .rd_req(vr_req[3]),
      .rd_row(vr_row[3*VRW+:VRW]),
      .rd_gnt(vr_gnt[3]),
      .rd_data(vr_data[3*ROW+:ROW]),
      .wr_req(vw_req[2]),
      .wr_row(vw_row[2*VRW+:VRW]),
      .wr_data(vw_data[2*ROW+:ROW]),
      .wr_mask(vw_mask[2*P+:P]),
      .wr_gnt(vw_gnt[2]),
      .*
  );

  `PLENA_ASSERT_RESET(units_rst)

  `PLENA_ASSERT_WHEN(core_one_int_write, topk_int_en, !int_wr_en,
                     "dispatch writes INT_MEM in a cycle in which V_TOPK does")
  `PLENA_ASSERT_WHEN(core_retire_running, trace_valid != 2'd0, running,
                     "an instruction retires while no program runs")
endmodule

`default_nettype wire
