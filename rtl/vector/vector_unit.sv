// Vector unit: in-order queue, operand fetch from VRAM and FP_MEM, elementwise lanes, reductions, row write queue.
// Timing: a row a cycle; a row is forwarded to an instruction 3 cycles behind; f result of a RED to one log2(MLEN)+2 (sum) behind.
// Specified in docs/microarchitecture.md, "Vector unit"; results in docs/isa.md, "Vector instructions".
`timescale 1ns / 1ps
`default_nettype none

module vector_unit #(
    parameter int MLEN = 64,  // elements of a row; a power of two
    parameter int VRW = 14,  // bits of a VRAM row number
    parameter int FAW = 10,  // bits of an FP_MEM address
    parameter int IAW = 10,  // bits of an INT_MEM address
    parameter int Q    = 8    // slots of the queue; a power of two
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    input wire logic flush,  // drops instructions not issued; slot pointers stay
    // push
    input wire logic push,  // an instruction enters
    input wire logic [plena_pkg::UNIT_OP_W-1:0] push_op,  // operation, see docs/microarchitecture.md
    input wire logic push_vf,  // second source is an f register
    input wire logic [VRW-1:0] push_row_a,  // first source row
    input wire logic [VRW-1:0] push_row_b,  // second source row
    input wire logic [VRW-1:0] push_row_d,  // destination row
    input wire logic [2:0] push_f,  // f register: source, and destination of RED
    input wire logic [MLEN-1:0] push_mask,  // elements selected
    input wire logic [$clog2(MLEN):0] push_shift,  // distance of SHFT, clipped to MLEN
    input wire logic [FAW-1:0] push_fpaddr,  // first FP_MEM word of MAP and TOPK
    input wire logic [IAW-1:0] push_intaddr,  // first INT_MEM word of TOPK
    // scoreboard
    input wire logic [Q-1:0] slot_ready,  // no dependency left
    output logic [Q-1:0] slot_rd_done,  // sources captured
    output logic [Q-1:0] slot_done,  // result visible to what issues in the next cycle
    // counters: the head is the oldest instruction that has not issued
    output logic [$clog2(Q)-1:0] head,  // its slot
    output logic head_valid,  // there is one
    output logic head_issues,  // it issues
    output logic head_waits,  // it waits for other instructions
    output logic head_row,  // of this unit, which have still to write its source rows
    output logic head_refused,  // VRAM withholds a source row
    output logic row_step,  // a row is taken
    // VRAM read port A
    output logic rd_a_req,  // request
    output logic [VRW-1:0] rd_a_row,  // row
    input wire logic rd_a_gnt,  // taken; data in the next cycle
    input wire logic [MLEN*16-1:0] rd_a_data,  // data
    // VRAM read port B
    output logic rd_b_req,  // request
    output logic [VRW-1:0] rd_b_row,  // row
    input wire logic rd_b_gnt,  // taken; data in the next cycle
    input wire logic [MLEN*16-1:0] rd_b_data,  // data
    // VRAM write port, whole rows
    output logic wr_req,  // request
    output logic [VRW-1:0] wr_row,  // row
    output logic [MLEN*16-1:0] wr_data,  // data
    input wire logic wr_gnt,  // taken
    // FP_MEM wide read port
    output logic fp_rd_en,  // read, always taken
    output logic [FAW-1:0] fp_rd_addr,  // first word
    input wire logic [MLEN*16-1:0] fp_rd_data,  // words, in the next cycle
    // FP_MEM and INT_MEM writes of TOPK
    output logic fp_wr_en,  // write request
    output logic [FAW-1:0] fp_wr_addr,  // word
    output logic [15:0] fp_wr_data,  // data
    input wire logic fp_wr_gnt,  // taken
    output logic int_wr_en,  // write, always taken
    output logic [IAW-1:0] int_wr_addr,  // word
    output logic [31:0] int_wr_data,  // data
    output logic int_busy,  // a TOPK pushed earlier has still to write INT_MEM
    // f registers
    output logic [2:0] f_rsel,  // register to read
    input wire logic [15:0] f_rdata,  // its value, same cycle
    output logic f_wen,  // write the result of a RED
    output logic [2:0] f_wsel,  // register to write
    output logic [15:0] f_wdata  // value
);
  localparam int QW = $clog2(Q);
  localparam int LM = $clog2(MLEN);
  localparam int SW = LM + 1;
  localparam int AHEAD = LM - (LM + 1) / 2;  // cycles by which a maximum is faster than a sum
  localparam int NARROW_ROWS = (plena_pkg::TOPK_LOGITS_0 + MLEN - 1) / MLEN;  // rows of V_TOPK's logits, by policy
  localparam int WIDE_ROWS = (plena_pkg::TOPK_LOGITS_1 + MLEN - 1) / MLEN;

  initial begin
    if (MLEN < 8 || (MLEN & (MLEN - 1)) != 0)
      $fatal(1, "vector_unit: MLEN=%0d must be a power of two of at least 8", MLEN);
  end

  // Queue of slots.
  localparam int W = plena_pkg::UNIT_OP_W + 1 + 3 * VRW + 3 + MLEN + SW + FAW + IAW;
  logic [Q-1:0] waiting, leaves;
  logic [QW-1:0] tail;  // slot of the next push
  logic [plena_pkg::UNIT_OP_W-1:0] op;
  logic vf;
  logic [VRW-1:0] row_a, row_b, row_d;
  logic [2:0] f;
  logic [MLEN-1:0] mask;
  logic [SW-1:0] distance;
  logic [FAW-1:0] fpaddr;
  logic [IAW-1:0] intaddr;
  logic [Q-1:0] topk_q;  // slots with a TOPK of either policy
  slot_queue #(
      .Q(Q),
      .W(W)
  ) u_queue (
      .clk(clk),
      .rst(rst),
      .flush(flush),
      .push(push),
      .push_data({
        {push_op, push_vf, push_row_a, push_row_b, push_row_d},
        {push_f, push_mask, push_shift, push_fpaddr, push_intaddr}
      }),
      .issue(leaves),
      .waiting(waiting),
      .tail(tail),
      .rd_slot(head),
      .rd_data({op, vf, row_a, row_b, row_d, f, mask, distance, fpaddr, intaddr})
  );

  always_ff @(posedge clk) if (push) topk_q[tail] <= plena_pkg::v_op_topk(push_op);

  // Issue: all sources of the oldest instruction are requested at once and may be granted in different cycles.
  // A maximum must not come out of the tree beside an older sum. TOPK reads its rows one by one, into a unit of its own.
  logic is_red, is_map, is_topk, wide, need_a, need_b;
  logic have_a_q, have_b_q;  // granted in an earlier cycle
  logic can_go, take_a, take_b, got_a, got_b, issue;
  logic wait_a, wait_b, pass_a, pass_b, s3_hit_a, s3_hit_b;  // see the row interlock
  logic [3:0] topk_row_q;  // rows of a TOPK granted in earlier cycles
  logic topk_first, topk_last;  // the row is the first, the last one
  logic topk_busy;
  logic [AHEAD-1:0] sums_q;  // sums issued in the last AHEAD cycles, the oldest highest

  assign is_red = plena_pkg::v_op_reduction(op);
  assign is_map = op == plena_pkg::V_OP_MAP;
  assign wide = op == plena_pkg::V_OP_TOPK_8;
  assign is_topk = topk_q[head];
  assign topk_first = topk_row_q == '0;
  assign topk_last = topk_row_q == (wide ? 4'(WIDE_ROWS - 1) : 4'(NARROW_ROWS - 1));
  assign need_a = plena_pkg::v_op_row(op);
  assign need_b = plena_pkg::v_op_two_sources(op) && !vf;
  assign can_go = waiting[head] && slot_ready[head] && !(op == plena_pkg::V_OP_RED_MAX && sums_q[AHEAD-1]) &&
      !(is_topk && topk_first && topk_busy) && !wait_a && !wait_b;

  assign rd_a_req = can_go && need_a && !have_a_q && !pass_a;
  assign rd_b_req = can_go && need_b && !have_b_q && !pass_b;
  assign rd_a_row = row_a + (is_topk ? VRW'(topk_row_q) : '0);
  assign rd_b_row = row_b;
  assign fp_rd_en = can_go && is_map;
  assign fp_rd_addr = fpaddr;

  assign take_a = (rd_a_req && rd_a_gnt) || (can_go && pass_a);
  assign take_b = (rd_b_req && rd_b_gnt) || (can_go && pass_b);
  assign got_a = have_a_q || (take_a && (!is_topk || topk_last));
  assign got_b = have_b_q || take_b;
  assign issue = can_go && (got_a || !need_a) && (got_b || !need_b);
  assign leaves = issue ? {{(Q - 1) {1'b0}}, 1'b1} << head : '0;
  assign head_valid = waiting[head];
  assign head_issues = issue || row_step;
  assign head_waits = waiting[head] && (!slot_ready[head] || head_row);
  assign head_row = waiting[head] && slot_ready[head] && (wait_a || wait_b);
  assign head_refused = (rd_a_req && !rd_a_gnt) || (rd_b_req && !rd_b_gnt);
  assign row_step = is_topk ? rd_a_req && rd_a_gnt : issue;

  always_ff @(posedge clk) begin
    if (rst) begin
      head <= '0;
      have_a_q <= 1'b0;
      have_b_q <= 1'b0;
      topk_row_q <= '0;
      sums_q <= '0;
    end else begin
      if (is_topk && take_a) topk_row_q <= topk_last ? '0 : topk_row_q + 1'b1;
      sums_q   <= AHEAD'({sums_q, issue && op == plena_pkg::V_OP_RED_SUM});
      have_a_q <= got_a && !issue;
      have_b_q <= got_b && !issue;
      if (issue) head <= head + 1'b1;
      if (flush) {head, have_a_q, have_b_q} <= {tail, 2'b00};
    end
  end

  // Stage 1: data of the reads arrive; the f register is read. What an instruction needs goes with it from stage to stage.
  logic arrive_a_q, arrive_b_q, arrive_map_q, arrive_topk_q;
  logic from_s4_a_q, from_s5_a_q, from_s4_b_q, from_s5_b_q;  // the source is forwarded
  logic s1_valid_q, s1_vf_q, s1_red_q, s1_max_q;
  logic [plena_pkg::UNIT_OP_W-1:0] s1_op_q, s2_op_q;
  logic [2:0] s1_f_q, s2_f_q;
  logic [QW-1:0] s1_slot_q, s2_slot_q, s3_slot_q, s4_slot_q;
  logic [VRW-1:0] s1_row_q, s2_row_q, s3_row_q, s4_row_q;
  logic [MLEN-1:0] s1_mask_q, s2_mask_q;
  logic [SW-1:0] s1_shift_q, s2_shift_q;

  always_ff @(posedge clk) begin
    if (rst) begin
      arrive_a_q <= 1'b0;
      arrive_b_q <= 1'b0;
      arrive_map_q <= 1'b0;
      arrive_topk_q <= 1'b0;
      s1_valid_q <= 1'b0;
    end else begin
      arrive_a_q <= take_a && !is_topk;
      arrive_b_q <= take_b;
      arrive_map_q <= fp_rd_en;
      arrive_topk_q <= take_a && is_topk;
      s1_valid_q <= issue && !is_topk;
    end
    if (take_a) {from_s4_a_q, from_s5_a_q} <= {s3_hit_a, pass_a && !s3_hit_a};
    if (take_b) {from_s4_b_q, from_s5_b_q} <= {s3_hit_b, pass_b && !s3_hit_b};
    if (issue) begin
      s1_op_q <= op;
      s1_red_q <= is_red;
      s1_max_q <= op == plena_pkg::V_OP_RED_MAX;
      s1_vf_q <= vf;
      s1_f_q <= f;
      s1_slot_q <= head;
      s1_row_q <= row_d;
      s1_mask_q <= mask;
      s1_shift_q <= distance;
    end
  end
  assign f_rsel = s1_f_q;

  // Stage 2: operands in registers; first half of the operation, or first level of the reduction.
  // A source that arrives early waits here: the instruction before has left these registers by then.
  logic s2_elementwise_q, s2_red_q, s2_max_q;
  logic [MLEN*16-1:0] s2_a_q, s2_b_q;
  logic [MLEN*16-1:0] s4_result, s5_result_q;  // of stages 4 and 5
  logic [15:0] s2_fvalue_q;

  always_ff @(posedge clk) begin
    if (rst) begin
      s2_elementwise_q <= 1'b0;
      s2_red_q <= 1'b0;
    end else begin
      s2_elementwise_q <= s1_valid_q && !s1_red_q;
      s2_red_q <= s1_valid_q && s1_red_q;
    end
    if (arrive_a_q) s2_a_q <= from_s4_a_q ? s4_result : from_s5_a_q ? s5_result_q : rd_a_data;
    else if (arrive_map_q) s2_a_q <= fp_rd_data;
    if (arrive_b_q) s2_b_q <= from_s4_b_q ? s4_result : from_s5_b_q ? s5_result_q : rd_b_data;
    else if (s1_valid_q && s1_vf_q) s2_b_q <= {MLEN{f_rdata}};
    if (s1_valid_q) begin
      s2_op_q <= s1_op_q;
      s2_max_q <= s1_max_q;
      s2_fvalue_q <= f_rdata;
      s2_f_q <= s1_f_q;
      s2_slot_q <= s1_slot_q;
      s2_row_q <= s1_row_q;
      s2_mask_q <= s1_mask_q;
      s2_shift_q <= s1_shift_q;
    end
  end

  // Stage 3: rounding, inside the lanes. Stage 4: the result asks for the write port. Stage 5 keeps it one cycle more.
  logic s3_valid_q, s4_valid_q;

  always_ff @(posedge clk) begin
    if (rst) begin
      s3_valid_q <= 1'b0;
      s4_valid_q <= 1'b0;
    end else begin
      s3_valid_q <= s2_elementwise_q;
      s4_valid_q <= s3_valid_q;
    end
    if (s2_elementwise_q) begin
      s3_slot_q <= s2_slot_q;
      s3_row_q  <= s2_row_q;
    end
    if (s3_valid_q) begin
      s4_slot_q <= s3_slot_q;
      s4_row_q  <= s3_row_q;
    end
    if (s4_valid_q) s5_result_q <= s4_result;
  end

  vector_lanes #(
      .MLEN(MLEN)
  ) u_lanes (
      .clk   (clk),
      .start (s2_elementwise_q),
      .op    (s2_op_q),
      .a     (s2_a_q),
      .b     (s2_b_q),
      .mask  (s2_mask_q),
      .shift (s2_shift_q),
      .result(s4_result)
  );

  logic written, w_hit_a, w_hit_b;  // a row is written; a source waits to be
  logic [QW-1:0] written_slot;
  row_writer #(
      .MLEN(MLEN),
      .VRW (VRW),
      .Q   (Q)
  ) u_writer (
      .clk(clk),
      .rst(rst),
      .in_valid(s4_valid_q),
      .in_row(s4_row_q),
      .in_data(s4_result),
      .in_slot(s4_slot_q),
      .written(written),
      .written_slot(written_slot),
      .ask_a(rd_a_row),
      .ask_b(rd_b_row),
      .waits_a(w_hit_a),
      .waits_b(w_hit_b),
      .wr_req(wr_req),
      .wr_row(wr_row),
      .wr_data(wr_data),
      .wr_gnt(wr_gnt)
  );

  // Row interlock: a source that an older instruction of this unit has still to write. The scoreboard leaves these to the
  // unit. The youngest such instruction counts: in stage 1 or 2 the reader waits; from stage 3 or 4 the row is forwarded a
  // cycle later, from stage 4 or 5; what waits in the write queue is read after it is written. TOPK is never forwarded to.
  logic young_hit_a, young_hit_b, s4_hit_a, s4_hit_b;
  logic s1_writes;
  assign s1_writes = s1_valid_q && !s1_red_q;
  assign young_hit_a = (s1_writes && s1_row_q == rd_a_row) || (s2_elementwise_q && s2_row_q == rd_a_row);
  assign young_hit_b = (s1_writes && s1_row_q == rd_b_row) || (s2_elementwise_q && s2_row_q == rd_b_row);
  assign s3_hit_a = s3_valid_q && s3_row_q == rd_a_row;
  assign s3_hit_b = s3_valid_q && s3_row_q == rd_b_row;
  assign s4_hit_a = s4_valid_q && s4_row_q == rd_a_row;
  assign s4_hit_b = s4_valid_q && s4_row_q == rd_b_row;
  assign pass_a = need_a && !have_a_q && !is_topk && (s3_hit_a || s4_hit_a);
  assign pass_b = need_b && !have_b_q && (s3_hit_b || s4_hit_b);
  assign wait_a = need_a && !have_a_q &&
      (young_hit_a || (is_topk && (s3_hit_a || s4_hit_a)) || (w_hit_a && !pass_a));
  assign wait_b = need_b && !have_b_q && (young_hit_b || (w_hit_b && !pass_b));

  // Reductions. The f register is forwarded in the cycle of its write, so the slot is done a cycle before.
  logic red_done;
  logic [QW-1:0] red_slot;

  reduction_tree #(
      .MLEN(MLEN),
      .QW  (QW)
  ) u_tree (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s2_red_q),
      .in_max   (s2_max_q),
      .in_row   (s2_a_q),
      .in_mask  (s2_mask_q),
      .in_f     (s2_fvalue_q),
      .in_fsel  (s2_f_q),
      .in_slot  (s2_slot_q),
      .soon     (red_done),
      .soon_slot(red_slot),
      .out_valid(f_wen),
      .out_value(f_wdata),
      .out_fsel (f_wsel)
  );

  // TOPK: begins with its first row; the instructions behind it go on.
  logic topk_done;
  logic [QW-1:0] topk_slot;

  topk #(
      .MLEN(MLEN),
      .QW  (QW),
      .FAW (FAW),
      .IAW (IAW)
  ) u_topk (
      .clk        (clk),
      .rst        (rst),
      .start      (rd_a_req && rd_a_gnt && is_topk && topk_first),
      .start_wide (wide),
      .start_fp   (fpaddr),
      .start_int  (intaddr),
      .start_slot (head),
      .row_valid  (arrive_topk_q),
      .row        (rd_a_data),
      .busy       (topk_busy),
      .fp_wr_en   (fp_wr_en),
      .fp_wr_addr (fp_wr_addr),
      .fp_wr_data (fp_wr_data),
      .fp_wr_gnt  (fp_wr_gnt),
      .int_wr_en  (int_wr_en),
      .int_wr_addr(int_wr_addr),
      .int_wr_data(int_wr_data),
      .done       (topk_done),
      .done_slot  (topk_slot)
  );
  assign int_busy = topk_busy || (waiting & topk_q) != '0;

  always_comb begin
    slot_rd_done = '0;
    slot_done = '0;
    slot_rd_done[head] = issue;
    if (written) slot_done[written_slot] = 1'b1;
    if (red_done) slot_done[red_slot] = 1'b1;
    if (topk_done) slot_done[topk_slot] = 1'b1;
  end
  `PLENA_ASSERT_RESET(rst)
  `PLENA_ASSERT_WHEN(vector_operation, push, plena_pkg::v_op_legal(push_op),
                     "the vector unit is given an operation that it does not know")
endmodule

`default_nettype wire
