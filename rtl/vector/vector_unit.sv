// Vector unit: in-order queue, operand fetch from VRAM and FP_MEM, elementwise lanes, reductions, row write queue.
// Timing: a row a cycle; a row is forwarded to an instruction 3 cycles behind; f result of a RED to one log2(MLEN)+2 (sum) behind.
// Specified in docs/microarchitecture.md, "Vector unit"; results in docs/isa.md, "Vector and scalar instructions".
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
  localparam int SW = $clog2(MLEN) + 1;
  localparam int AHEAD = $clog2(
      MLEN
  ) - ($clog2(
      MLEN
  ) + 1) / 2;  // cycles by which a maximum is faster than a sum
  localparam int NARROW_ROWS = MLEN < 32 ? 32 / MLEN : 1;  // rows of 32 logits
  localparam int WIDE_ROWS = MLEN < 128 ? 128 / MLEN : 1;  // rows of 128 logits

  initial begin
    if (MLEN < 8 || (MLEN & (MLEN - 1)) != 0)
      $fatal(1, "vector_unit: MLEN=%0d must be a power of two of at least 8", MLEN);
    if (Q < 2 || (Q & (Q - 1)) != 0)
      $fatal(1, "vector_unit: Q=%0d must be a power of two of at least 2", Q);
  end

  // Queue of slots.
  logic [Q-1:0] waiting;  // pushed, not issued yet
  logic [QW-1:0] tail;  // slot of the next push
  logic [plena_pkg::UNIT_OP_W-1:0] q_op[Q];
  logic q_vf[Q];
  logic [VRW-1:0] q_row_a[Q];
  logic [VRW-1:0] q_row_b[Q];
  logic [VRW-1:0] q_row_d[Q];
  logic [2:0] q_f[Q];
  logic [MLEN-1:0] q_mask[Q];
  logic [SW-1:0] q_shift[Q];
  logic [FAW-1:0] q_fpaddr[Q];
  logic [IAW-1:0] q_intaddr[Q];
  logic [Q-1:0] q_topk;  // TOPK of either policy

  always_ff @(posedge clk) begin
    if (push) begin
      q_op[tail] <= push_op;
      q_vf[tail] <= push_vf;
      q_row_a[tail] <= push_row_a;
      q_row_b[tail] <= push_row_b;
      q_row_d[tail] <= push_row_d;
      q_f[tail] <= push_f;
      q_mask[tail] <= push_mask;
      q_shift[tail] <= push_shift;
      q_fpaddr[tail] <= push_fpaddr;
      q_intaddr[tail] <= push_intaddr;
      q_topk[tail] <= plena_pkg::v_op_topk(push_op);
    end
  end

  // Issue: all sources of the oldest instruction are requested at once and may be granted in different cycles.
  // A maximum must not come out of the tree beside an older sum. TOPK reads its rows one by one, into a unit of its own.
  logic [plena_pkg::UNIT_OP_W-1:0] op;
  logic is_red, is_map, is_topk, wide, need_a, need_b;
  logic have_a, have_b;  // granted in an earlier cycle
  logic can_go, take_a, take_b, got_a, got_b, issue;
  logic wait_a, wait_b, pass_a, pass_b;  // see the row interlock
  logic [3:0] topk_row;  // rows of a TOPK granted in earlier cycles
  logic topk_first, topk_last;  // the row is the first, the last one
  logic topk_busy;
  logic [AHEAD-1:0] sums;  // sums issued in the last AHEAD cycles, the oldest highest

  assign op = q_op[head];
  assign is_red = plena_pkg::v_op_reduction(op);
  assign is_map = op == plena_pkg::V_OP_MAP;
  assign wide = op == plena_pkg::V_OP_TOPK_8;
  assign is_topk = q_topk[head];
  assign topk_first = topk_row == '0;
  assign topk_last = topk_row == (wide ? 4'(WIDE_ROWS - 1) : 4'(NARROW_ROWS - 1));
  assign need_a = plena_pkg::v_op_row(op);
  assign need_b = plena_pkg::v_op_two_sources(op) && !q_vf[head];
  assign can_go = waiting[head] && slot_ready[head] && !(op == plena_pkg::V_OP_RED_MAX && sums[AHEAD-1]) &&
      !(is_topk && topk_first && topk_busy) && !wait_a && !wait_b;

  assign rd_a_req = can_go && need_a && !have_a && !pass_a;
  assign rd_b_req = can_go && need_b && !have_b && !pass_b;
  assign rd_a_row = q_row_a[head] + (is_topk ? VRW'(topk_row) : '0);
  assign rd_b_row = q_row_b[head];
  assign fp_rd_en = can_go && is_map;
  assign fp_rd_addr = q_fpaddr[head];

  assign take_a = (rd_a_req && rd_a_gnt) || (can_go && pass_a);
  assign take_b = (rd_b_req && rd_b_gnt) || (can_go && pass_b);
  assign got_a = have_a || (take_a && (!is_topk || topk_last));
  assign got_b = have_b || take_b;
  assign issue = can_go && (got_a || !need_a) && (got_b || !need_b);
  assign head_valid = waiting[head];
  assign head_issues = issue || row_step;
  assign head_waits = waiting[head] && (!slot_ready[head] || head_row);
  assign head_row = waiting[head] && slot_ready[head] && (wait_a || wait_b);
  assign head_refused = (rd_a_req && !rd_a_gnt) || (rd_b_req && !rd_b_gnt);
  assign row_step = is_topk ? rd_a_req && rd_a_gnt : issue;

  always_ff @(posedge clk) begin
    if (rst) begin
      waiting <= '0;
      tail <= '0;
      head <= '0;
      have_a <= 1'b0;
      have_b <= 1'b0;
      topk_row <= '0;
      sums <= '0;
    end else begin
      if (is_topk && take_a) topk_row <= topk_last ? '0 : topk_row + 1'b1;
      sums   <= AHEAD'({sums, issue && op == plena_pkg::V_OP_RED_SUM});
      have_a <= got_a && !issue;
      have_b <= got_b && !issue;
      if (push) begin
        waiting[tail] <= 1'b1;
        tail <= tail + 1'b1;
      end
      if (issue) begin
        waiting[head] <= 1'b0;
        head <= head + 1'b1;
      end
      if (flush) begin
        waiting <= '0;
        head <= tail;
        have_a <= 1'b0;
        have_b <= 1'b0;
      end
    end
  end

  // Stage 1: data of the reads arrive; the f register is read.
  logic arrive_a, arrive_b, arrive_map, arrive_topk;
  logic from_s4_a, from_s5_a, from_s4_b, from_s5_b;  // the source is forwarded
  logic s1_valid, s1_vf, s1_red, s1_max;
  logic [plena_pkg::UNIT_OP_W-1:0] s1_op;
  logic [2:0] s1_f;
  logic [QW-1:0] s1_slot;
  logic [VRW-1:0] s1_row;
  logic [MLEN-1:0] s1_mask;
  logic [SW-1:0] s1_shift;

  always_ff @(posedge clk) begin
    if (rst) begin
      arrive_a <= 1'b0;
      arrive_b <= 1'b0;
      arrive_map <= 1'b0;
      arrive_topk <= 1'b0;
      s1_valid <= 1'b0;
    end else begin
      arrive_a <= take_a && !is_topk;
      arrive_b <= take_b;
      arrive_map <= fp_rd_en;
      arrive_topk <= take_a && is_topk;
      s1_valid <= issue && !is_topk;
    end
    if (take_a) {from_s4_a, from_s5_a} <= {s3_hit_a, pass_a && !s3_hit_a};
    if (take_b) {from_s4_b, from_s5_b} <= {s3_hit_b, pass_b && !s3_hit_b};
    if (issue) begin
      s1_op <= op;
      s1_red <= is_red;
      s1_max <= op == plena_pkg::V_OP_RED_MAX;
      s1_vf <= q_vf[head];
      s1_f <= q_f[head];
      s1_slot <= head;
      s1_row <= q_row_d[head];
      s1_mask <= q_mask[head];
      s1_shift <= q_shift[head];
    end
  end
  assign f_rsel = s1_f;

  // Stage 2: operands in registers; first half of the operation, or first level of the reduction.
  // A source that arrives early waits here: the instruction before has left these registers by then.
  logic s2_elementwise, s2_red, s2_max;
  logic [MLEN*16-1:0] s2_a, s2_b;
  logic [15:0] s2_fvalue;
  logic [plena_pkg::UNIT_OP_W-1:0] s2_op;
  logic [2:0] s2_f;
  logic [QW-1:0] s2_slot;
  logic [VRW-1:0] s2_row;
  logic [MLEN-1:0] s2_mask;
  logic [SW-1:0] s2_shift;

  always_ff @(posedge clk) begin
    if (rst) begin
      s2_elementwise <= 1'b0;
      s2_red <= 1'b0;
    end else begin
      s2_elementwise <= s1_valid && !s1_red;
      s2_red <= s1_valid && s1_red;
    end
    if (arrive_a) s2_a <= from_s4_a ? s4_result : from_s5_a ? s5_result : rd_a_data;
    else if (arrive_map) s2_a <= fp_rd_data;
    if (arrive_b) s2_b <= from_s4_b ? s4_result : from_s5_b ? s5_result : rd_b_data;
    else if (s1_valid && s1_vf) s2_b <= {MLEN{f_rdata}};
    if (s1_valid) begin
      s2_op <= s1_op;
      s2_max <= s1_max;
      s2_fvalue <= f_rdata;
      s2_f <= s1_f;
      s2_slot <= s1_slot;
      s2_row <= s1_row;
      s2_mask <= s1_mask;
      s2_shift <= s1_shift;
    end
  end

  // Stage 3: rounding, inside the lanes. Stage 4: the result asks for the write port. Stage 5 keeps it one cycle more.
  logic s3_valid, s4_valid;
  logic [QW-1:0] s3_slot, s4_slot;
  logic [VRW-1:0] s3_row, s4_row;
  logic [MLEN*16-1:0] s4_result, s5_result;

  always_ff @(posedge clk) begin
    if (rst) begin
      s3_valid <= 1'b0;
      s4_valid <= 1'b0;
    end else begin
      s3_valid <= s2_elementwise;
      s4_valid <= s3_valid;
    end
    if (s2_elementwise) begin
      s3_slot <= s2_slot;
      s3_row  <= s2_row;
    end
    if (s3_valid) begin
      s4_slot <= s3_slot;
      s4_row  <= s3_row;
    end
    if (s4_valid) s5_result <= s4_result;
  end

  vector_lanes #(
      .MLEN(MLEN)
  ) u_lanes (
      .clk   (clk),
      .start (s2_elementwise),
      .op    (s2_op),
      .a     (s2_a),
      .b     (s2_b),
      .mask  (s2_mask),
      .shift (s2_shift),
      .result(s4_result)
  );

  // Write queue: takes what the write port refuses. A slot is held until its row is written, so Q places do.
  logic [MLEN*16-1:0] w_data[Q];
  logic [VRW-1:0] w_row[Q];
  logic [QW-1:0] w_slot[Q];
  logic [QW-1:0] w_in, w_out;
  logic [Q-1:0] w_full;  // places in use
  logic w_empty, w_store, w_take, written;
  logic [QW-1:0] written_slot;

  assign w_empty = w_full == '0;
  assign wr_req = s4_valid || !w_empty;
  assign wr_row = w_empty ? s4_row : w_row[w_out];
  assign wr_data = w_empty ? s4_result : w_data[w_out];
  assign written = wr_req && wr_gnt;
  assign written_slot = w_empty ? s4_slot : w_slot[w_out];
  assign w_store = s4_valid && !(w_empty && wr_gnt);
  assign w_take = written && !w_empty;

  always_ff @(posedge clk) begin
    if (w_store) begin
      w_data[w_in] <= s4_result;
      w_row[w_in]  <= s4_row;
      w_slot[w_in] <= s4_slot;
    end
    if (rst) begin
      w_in   <= '0;
      w_out  <= '0;
      w_full <= '0;
    end else begin
      if (w_take) begin
        w_out <= w_out + 1'b1;
        w_full[w_out] <= 1'b0;
      end
      if (w_store) begin
        w_in <= w_in + 1'b1;
        w_full[w_in] <= 1'b1;
      end
    end
  end

  // Row interlock: a source that an older instruction of this unit has still to write. The scoreboard leaves these to the
  // unit. The youngest such instruction counts: in stage 1 or 2 the reader waits; from stage 3 or 4 the row is forwarded a
  // cycle later, from stage 4 or 5; what waits in the write queue is read after it is written. TOPK is never forwarded to.
  logic young_hit_a, young_hit_b, s3_hit_a, s3_hit_b, s4_hit_a, s4_hit_b, w_hit_a, w_hit_b;
  logic s1_writes;
  assign s1_writes = s1_valid && !s1_red;
  assign young_hit_a = (s1_writes && s1_row == rd_a_row) || (s2_elementwise && s2_row == rd_a_row);
  assign young_hit_b = (s1_writes && s1_row == rd_b_row) || (s2_elementwise && s2_row == rd_b_row);
  assign s3_hit_a = s3_valid && s3_row == rd_a_row;
  assign s3_hit_b = s3_valid && s3_row == rd_b_row;
  assign s4_hit_a = s4_valid && s4_row == rd_a_row;
  assign s4_hit_b = s4_valid && s4_row == rd_b_row;
  always_comb begin
    w_hit_a = 1'b0;
    w_hit_b = 1'b0;
    if (!w_empty)
      for (int i = 0; i < Q; i++) begin
        if (w_full[i] && w_row[i] == rd_a_row) w_hit_a = 1'b1;
        if (w_full[i] && w_row[i] == rd_b_row) w_hit_b = 1'b1;
      end
  end
  assign pass_a = need_a && !have_a && !is_topk && (s3_hit_a || s4_hit_a);
  assign pass_b = need_b && !have_b && (s3_hit_b || s4_hit_b);
  assign wait_a = need_a && !have_a &&
      (young_hit_a || (is_topk && (s3_hit_a || s4_hit_a)) || (w_hit_a && !pass_a));
  assign wait_b = need_b && !have_b && (young_hit_b || (w_hit_b && !pass_b));

  // Reductions. The f register is forwarded in the cycle of its write, so the slot is done a cycle before.
  logic red_done;
  logic [QW-1:0] red_slot;

  reduction_tree #(
      .MLEN(MLEN),
      .QW  (QW)
  ) u_tree (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s2_red),
      .in_max   (s2_max),
      .in_row   (s2_a),
      .in_mask  (s2_mask),
      .in_f     (s2_fvalue),
      .in_fsel  (s2_f),
      .in_slot  (s2_slot),
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
      .start_fp   (q_fpaddr[head]),
      .start_int  (q_intaddr[head]),
      .start_slot (head),
      .row_valid  (arrive_topk),
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
  assign int_busy = topk_busy || (waiting & q_topk) != '0;

  always_comb begin
    slot_rd_done = '0;
    slot_done = '0;
    slot_rd_done[head] = issue;
    if (written) slot_done[written_slot] = 1'b1;
    if (red_done) slot_done[red_slot] = 1'b1;
    if (topk_done) slot_done[topk_slot] = 1'b1;
  end
endmodule

`default_nettype wire
