// Frontend: fetch, decode, in-order dispatch with all checks, integer execution, the scoreboard, and start, stop and trap.
// Timing: up to DISPATCH_WIDTH instructions a cycle; dispatch waits only for the instruction word and a free slot of the unit's queue.
// Specified in docs/microarchitecture.md, "Frontend", and docs/isa.md, "Traps".
`timescale 1ns / 1ps
`default_nettype none

module frontend #(
    `include "shape_parameters.svh"
    parameter int LOOP_DEPTH     = 8,    // loops that may nest
    parameter int ICACHE_LINES   = 128,  // lines of the instruction cache
    parameter int DISPATCH_WIDTH = 2,    // instructions a cycle at most: 1 or 2
    `include "queue_parameters.svh"
    parameter int VRW            = 14,   // bits of a VRAM row number
    parameter int TW             = 6,    // bits of a tile number
    parameter int FAW            = 10,   // bits of an FP_MEM address
    parameter int IAW            = 10    // bits of an INT_MEM address
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    // Control registers
    input wire logic start,  // begin at pc 0 with reset registers; ignored while running
    input wire logic resume,  // go on at resume_pc; ignored while running
    input wire logic [31:0] resume_pc,  // pc of a resume
    input wire logic [63:0] base,  // byte address of the program
    input wire logic [31:0] length,  // program length in words
    input wire logic [63:0] limit,  // end of HBM data
    input wire logic [63:0] watchdog,  // cycle limit, 0 = none
    input wire logic [31:0] drain_limit,  // cycles of a drain after the watchdog has expired
    output logic running,  // between start and stop
    output logic stop,  // one cycle: the drain is over, the report below is valid
    output logic [3:0] stop_cause,  // 0 or the trap cause
    output logic stop_undrained,  // the drain is given up: something that was issued has not completed
    output logic stop_fault,  // a transfer met a bus error
    output logic [31:0] stop_pc,  // pc of the stop; before it, of the next instruction
    output logic [63:0] cycles,  // cycles since the start
    output logic [63:0] instructions,  // instructions completed since the start
    output logic [511:0] gp_state,  // gp0..gp15
    output logic [511:0] a_state,  // a0..a7
    output logic [31:0] scale,  // SCALE
    output logic [31:0] stride,  // STRIDE
    output logic [MLEN/HLEN-1:0] v_mask,  // V_MASK
    // Units
    output logic flush,  // empty every queue (start, resume)
    output logic init,  // reset architectural registers of the units (start)
    output logic [3:0] push,  // dispatch, one bit a unit: {HBM, float, vector, matrix}
    output logic [plena_pkg::UNIT_OP_W-1:0] unit_op,  // operation code of the unit
    output logic [VRW-1:0] row_a,  // first source row
    output logic [VRW-1:0] row_b,  // second source row
    output logic [VRW-1:0] row_d,  // first destination row
    output logic [VRW-1:0] row_stride,  // rows between rows of a write-out
    output logic [TW-1:0] tile,  // MSRAM tile
    output logic [$clog2(MLEN)-1:0] offset,  // row or column in the tile, column of a write-out
    output logic [FAW-1:0] fp_address,  // FP_MEM word
    output logic vector_f,  // the second vector source is an f register
    output logic [2:0] f_d,  // f register written (and the one read by V_RED, S_ST_FP)
    output logic [2:0] f_a,  // first f source
    output logic [2:0] f_b,  // second f source
    output logic [MLEN-1:0] lane_mask,  // element mask
    output logic [$clog2(MLEN):0] shift,  // V_SHFT_V distance, at most MLEN
    output logic [63:0] element_base,  // HBM byte of the first element row
    output logic [63:0] scale_base,  // HBM byte of the first scale row
    output logic bf16_rows,  // the rows lie in HBM as bf16, without scales
    output logic [31:0] element_stride,  // HBM bytes between element rows
    output logic [NM+NV+NF+NH-1:0] slot_ready,  // a slot waits for nothing
    input wire logic [NM+NV+NF+NH-1:0] slot_rd_done,  // a slot has read its sources
    input wire logic [NM+NV+NF+NH-1:0] slot_done,  // a slot is done
    input wire logic [NH-1:0] hbm_fault,  // an HBM slot met a bus error
    input wire logic hbm_idle,  // the HBM unit has nothing in flight
    // Counters
    input wire logic [$clog2(NM)-1:0] head_m,  // slot at the head of the matrix queue
    input wire logic [$clog2(NV)-1:0] head_v,  // slot at the head of the vector queue
    input wire logic [$clog2(NF)-1:0] head_f,  // slot at the head of the float queue
    input wire logic [$clog2(NH)-1:0] head_h,  // slot at the head of the HBM queue
    input wire logic head_row,  // the vector head waits for a row of its own unit
    output logic [19:0] hazards,  // what the heads wait for, see scoreboard
    output logic [1:0] issued,  // an instruction issues or is under way: {float, vector}
    output logic [3:0] dispatch_state,  // what dispatch does in this cycle
    output logic [11:0] retired,  // instructions that retire, 2 bits a unit in the order of the UNIT_ codes
    // INT_MEM
    output logic int_rd_en,  // read
    output logic [IAW-1:0] int_address,  // word read or written
    input wire logic [31:0] int_rd_data,  // word read a cycle ago
    output logic int_wr_en,  // write
    input wire logic int_busy,  // a V_TOPK has still to write INT_MEM
    output logic [31:0] int_wr_data,  // word to write
    // Instruction fetch
    output logic if_req,  // fetch request
    output logic [63:0] if_addr,  // its byte address
    input wire logic if_gnt,  // request taken
    input wire logic if_rvalid,  // a line arrives
    input wire logic [511:0] if_rdata,  // the line
    input wire logic if_rerr,  // the line's bus error
    // Retired instructions
    output logic [1:0] trace_valid,  // an instruction retires, a second one behind it
    output logic [31:0] trace_pc,  // pc of the first; the second one's is the next
    output logic [63:0] trace_instr  // their words, the first one's lowest
);
  localparam int LANES = MLEN / HLEN;

  initial
    if (DISPATCH_WIDTH < 1 || DISPATCH_WIDTH > 2)
      $fatal(1, "frontend: DISPATCH_WIDTH=%0d must be 1 or 2", DISPATCH_WIDTH);

  logic [31:0] pc_q, next_pc;
  logic loaded_q;  // the word of S_LD_INT is at int_rd_data
  logic first_retire, second_retire;
  logic go, dispatching, watchdog_hit, stop_now, slots_idle, slots_dead, fault_any;
  logic [ 3:0] stop_now_cause;
  logic [31:0] fault_pc;
  run_state u_run (
      .retire({second_retire, first_retire}),
      .pc(pc_q),
      .*
  );

  // Fetch: the word at pc_q and the one behind it.
  logic word_valid, word_error, second_valid;
  logic [31:0] first_word, second_word;
  icache #(
      .LINES(ICACHE_LINES),
      .WORDS(DISPATCH_WIDTH)
  ) u_icache (
      .clk(clk),
      .rst(rst),
      .invalidate(go),
      .enable(dispatching && base[5:0] == 6'd0),
      .base(base),
      .length(length),
      .next_pc(next_pc),
      .valid(word_valid),
      .instr(first_word),
      .error(word_error),
      .second_valid(second_valid),
      .second_instr(second_word),
      .if_req(if_req),
      .if_addr(if_addr),
      .if_gnt(if_gnt),
      .if_rvalid(if_rvalid),
      .if_rdata(if_rdata),
      .if_rerr(if_rerr)
  );

  // The pair: decode and integer execution, and the one of it whose operands are addresses
  logic [31:0] first_rd, first_rs1, first_rs2, second_rd, second_rs1, second_rs2;
  logic [3:0] first_cause, second_cause, first_select, second_select, first_target, second_target;
  logic [2:0] first_unit, second_unit;
  logic first_addressed, first_load, first_store, first_control;
  logic second_addressed, second_load, second_store, second_control;
  logic first_start, first_end, first_again, first_stops;
  logic second_start, second_end, second_again, second_stops;
  logic second_in_use, needs_product;
  logic loops_empty, loops_full;
  logic [3:0] loop_reg, unit_select;
  logic [31:0] loop_pc, instr, gp_rd, gp_rs1, gp_rs2;
  instruction_pair #(.DISPATCH_WIDTH(DISPATCH_WIDTH)) u_pair (.*);

  logic
      reads_row_a,
      reads_row_b,
      writes_rows,
      reads_tile,
      writes_tile,
      reads_fp,
      writes_fp,
      wide_topk,
      masked;
  logic [3:0] fp_count;
  logic [7:0] f_read, f_write;
  decode u_decode (
      .instr(instr),
      .unit_op(unit_op),
      .reads_row_a(reads_row_a),
      .reads_row_b(reads_row_b),
      .writes_rows(writes_rows),
      .reads_tile(reads_tile),
      .writes_tile(writes_tile),
      .reads_fp(reads_fp),
      .writes_fp(writes_fp),
      .fp_count(fp_count),
      .wide_topk(wide_topk),
      .vector_f(vector_f),
      .masked(masked),
      .f_read(f_read),
      .f_write(f_write)
  );

  // Control registers of the program; the second of a pair writes last.
  logic [63:0] address;
  assign address = a_state[{plena_pkg::a_rs2_of(instr), 6'd0}+:64];
  program_registers #(
      .LANES(LANES)
  ) u_registers (
      .write ({second_retire && second_control, first_retire && first_control}),
      .instr ({second_word, first_word}),
      .gp_rd ({second_rd, first_rd}),
      .gp_rs1({second_rs1, first_rs1}),
      .gp_rs2({second_rs2, first_rs2}),
      .*
  );

  // Loops: at most one of a pair opens or ends one.
  loop_stack #(
      .DEPTH(LOOP_DEPTH)
  ) u_loops (
      .clk(clk),
      .clear(init),
      .push((first_retire && first_start) || (second_retire && second_start)),
      .push_reg(first_start ? first_target : second_target),
      .push_pc(first_start ? pc_q + 32'd1 : pc_q + 32'd2),
      .pop((first_retire && first_end && !first_again) || (second_retire && second_end && !second_again)),
      .empty(loops_empty),
      .full(loops_full),
      .top_reg(loop_reg),
      .top_pc(loop_pc)
  );

  // Checks and addresses
  logic [3:0] address_cause;
  logic address_clear;
  logic [VRW-1:0] row_a_last, row_d_last;
  address_check #(
      `include "shape_connections.svh"
      .VRW(VRW),
      .TW (TW),
      .FAW(FAW),
      .IAW(IAW)
  ) u_check (
      .instr(instr),
      .gp_rd(gp_rd),
      .gp_rs1(gp_rs1),
      .gp_rs2(gp_rs2),
      .address(address),
      .scale(scale),
      .stride(stride),
      .limit(limit),
      .clear(address_clear),
      .cause(address_cause),
      .row_a(row_a),
      .row_a_last(row_a_last),
      .row_b(row_b),
      .row_d(row_d),
      .row_d_last(row_d_last),
      .row_stride(row_stride),
      .tile(tile),
      .offset(offset),
      .fp_address(fp_address),
      .int_address(int_address),
      .element_base(element_base),
      .scale_base(scale_base),
      .bf16_rows(bf16_rows),
      .element_stride(element_stride)
  );

  // Payload that needs no check
  assign f_d   = plena_pkg::f_rd_of(instr);
  assign f_a   = plena_pkg::f_rs1_of(instr);
  assign f_b   = plena_pkg::f_rs2_of(instr);
  assign shift = |gp_rs2[31:$clog2(MLEN)] ? ($clog2(MLEN) + 1)'(MLEN) : gp_rs2[$clog2(MLEN):0];
  always_comb
    for (int h = 0; h < LANES; h++) lane_mask[h*HLEN+:HLEN] = {HLEN{!masked || v_mask[h]}};

  // Who goes, and why nobody does
  logic [3:0] unit_free;
  dispatch_choice #(
      .DISPATCH_WIDTH(DISPATCH_WIDTH)
  ) u_choice (
      .pc(pc_q),
      .loaded(loaded_q),
      .*
  );

  assign int_rd_en = dispatching && first_load;
  assign int_wr_en = (first_retire && first_store) || (second_retire && second_store);
  assign int_wr_data = gp_rd;
  assign trace_valid = {second_retire, first_retire};
  assign trace_pc = pc_q;
  assign trace_instr = {second_word, first_word};

  always_ff @(posedge clk) begin
    pc_q <= next_pc;
    loaded_q <= dispatching && first_load && word_valid && !int_busy && !first_retire;
  end

  scoreboard #(
      .NM (NM),
      .NV (NV),
      .NF (NF),
      .NH (NH),
      .VRW(VRW),
      .TW (TW),
      .FAW(FAW)
  ) u_scoreboard (
      .clk(clk),
      .rst(rst),
      .flush(flush),
      .push(push),
      .n_pc(second_in_use ? pc_q + 32'd1 : pc_q),
      .n_ra(reads_row_a),
      .n_ra_lo(row_a),
      .n_ra_hi(row_a_last),
      .n_rb(reads_row_b),
      .n_rb_row(row_b),
      .n_w(writes_rows),
      .n_w_lo(row_d),
      .n_w_hi(row_d_last),
      .n_f_read(f_read),
      .n_f_write(f_write),
      .n_t_read(reads_tile),
      .n_t_write(writes_tile),
      .n_tile(tile),
      .n_p_read(reads_fp),
      .n_p_write(writes_fp),
      .n_p_lo(fp_address),
      .n_p_hi(fp_address + (fp_count == plena_pkg::COUNT_MLEN ? FAW'(MLEN - 1) :
          fp_count != plena_pkg::COUNT_CHOSEN ? '0 :
          FAW'((wide_topk ? plena_pkg::TOPK_CHOSEN_1 : plena_pkg::TOPK_CHOSEN_0) - 1))),
      .rd_done(slot_rd_done),
      .done(slot_done),
      .fault(hbm_fault),
      .hbm_idle(hbm_idle),
      .ready(slot_ready),
      .free(unit_free),
      .head_m(head_m),
      .head_v(head_v),
      .head_f(head_f),
      .head_h(head_h),
      .head_row(head_row),
      .hazards(hazards),
      .issued(issued),
      .idle(slots_idle),
      .all_dead(slots_dead),
      .fault_any(fault_any),
      .fault_pc(fault_pc)
  );
endmodule

`default_nettype wire
