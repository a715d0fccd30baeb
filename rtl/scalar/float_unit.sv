// Scalar float unit: out-of-order window over a queue of slots, bf16 arithmetic, FP_MEM loads and stores, f registers.
// Timing: issue to the issue of a dependent: exp/reciprocal/sqrt 2 cycles, all others 1; one issue a cycle.
// Specified in docs/microarchitecture.md, "Float unit"; results in docs/isa.md, "Numbers".
`timescale 1ns / 1ps
`default_nettype none

module float_unit #(
    parameter int FAW    = 10,  // bits of an FP_MEM address
    parameter int Q      = 8,   // slots of the queue; a power of two
    parameter int WINDOW = 4    // oldest waiting instructions to choose from
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    input wire logic flush,  // drops instructions not issued; slot pointer stays
    input wire logic init,  // start of a program: f registers become 0
    // push
    input wire logic push,  // an instruction enters
    input wire logic [plena_pkg::UNIT_OP_W-1:0] push_op,  // operation, see docs/microarchitecture.md
    input wire logic [2:0] push_fd,  // destination register
    input wire logic [2:0] push_fa,  // first source register; what a store stores
    input wire logic [2:0] push_fb,  // second source register
    input wire logic [FAW-1:0] push_fpaddr,  // FP_MEM word of a load or store
    // scoreboard
    input wire logic [Q-1:0] slot_ready,  // no dependency left
    output logic [Q-1:0] slot_rd_done,  // sources captured
    output logic [Q-1:0] slot_done,  // result visible to what issues in the next cycle

    // counters: the head is the oldest instruction that has not issued
    output logic [$clog2(Q)-1:0] head,  // its slot
    output logic head_valid,  // there is one
    output logic head_issues,  // one of the window issues
    output logic head_waits,  // all of the window wait for other instructions
    output logic head_refused,  // FP_MEM withholds a load

    // FP_MEM scalar ports
    output logic                s_rd_en,    // read request
    output logic      [FAW-1:0] s_rd_addr,  // word
    input  wire logic           s_rd_gnt,   // taken; data in the next cycle
    input  wire logic [   15:0] s_rd_data,  // data
    output logic                wr_en,      // write, always taken
    output logic      [FAW-1:0] wr_addr,    // word
    output logic      [   15:0] wr_data,    // data
    // vector unit
    input  wire logic [    2:0] v_rsel,     // register to read
    output logic      [   15:0] v_rdata,    // its value, same cycle
    input  wire logic           v_wen,      // write the result of a reduction
    input  wire logic [    2:0] v_wsel,     // its register
    input  wire logic [   15:0] v_wdata,    // value
    output logic      [  127:0] f_state     // all f registers, f0 lowest
);
  localparam int QW = $clog2(Q);

  initial begin
    if (WINDOW < 1 || WINDOW > Q) $fatal(1, "float_unit: WINDOW=%0d must be 1..Q", WINDOW);
  end

  // Queue of slots. Slots are given in circular order, so counting up from `tail` goes from old to young.
  localparam int W = plena_pkg::UNIT_OP_W + 3 * 3 + FAW;
  logic [Q-1:0] waiting, leaves;
  logic [QW-1:0] tail, pick;
  logic [plena_pkg::UNIT_OP_W-1:0] op;
  logic [2:0] fd, fa, fb;
  logic [FAW-1:0] fpaddr;
  slot_queue #(
      .Q(Q),
      .W(W)
  ) u_queue (
      .clk(clk),
      .rst(rst),
      .flush(flush),
      .push(push),
      .push_data({push_op, push_fd, push_fa, push_fb, push_fpaddr}),
      .issue(leaves),
      .waiting(waiting),
      .tail(tail),
      .rd_slot(pick),
      .rd_data({op, fd, fa, fb, fpaddr})
  );

  // Choice: the oldest ready instruction of the window.
  logic found;

  always_comb begin : choose
    logic [QW-1:0] slot;
    int seen;
    logic chosen;
    chosen = 1'b0;
    pick   = tail;
    head   = tail;
    seen   = 0;
    for (int k = 0; k < Q; k++) begin
      slot = tail + QW'(k);
      if (waiting[slot]) begin
        if (!chosen && seen < WINDOW && slot_ready[slot]) begin
          chosen = 1'b1;
          pick   = slot;
        end
        if (seen == 0) head = slot;
        seen = seen + 1;
      end
    end
    found = chosen;
  end

  // Issue: operands are read; a load that FP_MEM refuses stays.
  logic is_load, is_store, is_special, is_alu, issue;
  logic [127:0] f;

  assign is_load = op == plena_pkg::F_OP_LD;
  assign is_store = op == plena_pkg::F_OP_ST;
  assign is_special = op == plena_pkg::F_OP_EXP || op == plena_pkg::F_OP_RECI || op == plena_pkg::F_OP_SQRT;
  assign is_alu = !is_load && !is_store && !is_special;
  assign s_rd_en = found && is_load;
  assign s_rd_addr = fpaddr;
  assign issue = found && (!is_load || s_rd_gnt);
  assign head_valid = waiting != '0;
  assign head_issues = issue;
  assign head_waits = !found;
  assign head_refused = found && !issue;
  assign wr_en = found && is_store;
  assign wr_addr = fpaddr;
  assign wr_data = f[fa*16+:16];

  assign leaves = issue ? {{(Q - 1) {1'b0}}, 1'b1} << pick : '0;

  // Execution: arithmetic has its operands in registers, and f_file forwards every result in its cycle.
  logic load_valid_q, alu_valid_q, sfu1_valid_q, sfu2_valid_q;
  logic [2:0] load_fd_q, x_fd_q, sfu2_fd_q;
  logic [QW-1:0] x_slot_q;
  logic [plena_pkg::UNIT_OP_W-1:0] x_op_q;
  logic [15:0] x_a_q, x_b_q, alu_result, sfu_result;
  logic [plena_fp::SFU1_W-1:0] sfu1_q;

  always_ff @(posedge clk) begin
    if (rst) begin
      load_valid_q <= 1'b0;
      alu_valid_q  <= 1'b0;
      sfu1_valid_q <= 1'b0;
      sfu2_valid_q <= 1'b0;
    end else begin
      load_valid_q <= issue && is_load;
      alu_valid_q  <= issue && is_alu;
      sfu1_valid_q <= issue && is_special;
      sfu2_valid_q <= sfu1_valid_q;
    end
    if (issue && is_load) load_fd_q <= fd;
    if (issue && (is_alu || is_special)) begin
      x_op_q <= op;
      x_fd_q <= fd;
      x_slot_q <= pick;
      x_a_q <= f[fa*16+:16];
      x_b_q <= f[fb*16+:16];
    end
    if (sfu1_valid_q) begin
      sfu1_q <= plena_fp::sfu_s1(special(x_op_q), x_a_q);
      sfu2_fd_q <= x_fd_q;
    end
  end

  // Functions, not processes: Icarus 11 never leaves a process that calls those of plena_fp.
  function automatic logic [15:0] alu(input logic [plena_pkg::UNIT_OP_W-1:0] code,
                                      input logic [15:0] a, input logic [15:0] b);
    case (code)
      plena_pkg::F_OP_ADD: alu = plena_fp::bf16_add(a, b);
      plena_pkg::F_OP_SUB: alu = plena_fp::bf16_sub(a, b);
      plena_pkg::F_OP_MAX: alu = plena_fp::bf16_max(a, b);
      plena_pkg::F_OP_MUL: alu = plena_fp::bf16_mul(a, b);
      default: alu = plena_fp::BF16_NAN;
    endcase
  endfunction
  function automatic logic [1:0] special(input logic [plena_pkg::UNIT_OP_W-1:0] code);
    case (code)
      plena_pkg::F_OP_RECI: special = plena_fp::SFU_RECI;
      plena_pkg::F_OP_SQRT: special = plena_fp::SFU_SQRT;
      default: special = plena_fp::SFU_EXP;
    endcase
  endfunction
  assign alu_result = alu(x_op_q, x_a_q, x_b_q);
  assign sfu_result = plena_fp::sfu_s3(plena_fp::sfu_s2(sfu1_q));

  f_file u_f (
      .clk        (clk),
      .rst        (rst),
      .init       (init),
      .load_en    (load_valid_q),
      .load_sel   (load_fd_q),
      .load_data  (s_rd_data),
      .alu_en     (alu_valid_q),
      .alu_sel    (x_fd_q),
      .alu_data   (alu_result),
      .sfu_en     (sfu2_valid_q),
      .sfu_sel    (sfu2_fd_q),
      .sfu_data   (sfu_result),
      .vector_en  (v_wen),
      .vector_sel (v_wsel),
      .vector_data(v_wdata),
      .state      (f)
  );
  assign f_state = f;
  assign v_rdata = f[v_rsel*16+:16];

  always_comb begin
    slot_rd_done = '0;
    slot_done = '0;
    slot_rd_done[pick] = issue;
    slot_done[pick] = issue && !is_special;
    if (sfu1_valid_q) slot_done[x_slot_q] = 1'b1;
  end

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(float_operation, push, plena_pkg::f_op_legal(push_op),
                     "the float unit is given an operation that it does not know")
endmodule

`default_nettype wire
