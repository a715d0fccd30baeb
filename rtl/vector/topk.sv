// V_TOPK: the largest of the logits in order, their softmax weights to FP_MEM and their places to INT_MEM.
// Timing: a logit a cycle as rows arrive, then 3K+4 cycles for the K of the policy; one instruction at a time.
// Specified in docs/isa.md, "Vector instructions"; docs/microarchitecture.md, "Vector unit".
`timescale 1ns / 1ps
`default_nettype none

module topk #(
    parameter int MLEN = 64,  // elements of a row; a power of two
    parameter int QW   = 3,   // bits of a slot number
    parameter int FAW  = 10,  // bits of an FP_MEM address
    parameter int IAW  = 10   // bits of an INT_MEM address
) (
    input  wire logic               clk,          // clock
    input  wire logic               rst,          // synchronous reset
    input  wire logic               start,        // an instruction begins; only when not busy
    input  wire logic               start_wide,   // the policy
    input  wire logic [    FAW-1:0] start_fp,     // first FP_MEM word
    input  wire logic [    IAW-1:0] start_int,    // first INT_MEM word
    input  wire logic [     QW-1:0] start_slot,   // its slot
    input  wire logic               row_valid,    // the next row of logits arrives
    input  wire logic [MLEN*16-1:0] row,          // the row
    output logic                    busy,         // between start and the last write
    output logic                    fp_wr_en,     // write of a weight
    output logic      [    FAW-1:0] fp_wr_addr,   // its word
    output logic      [       15:0] fp_wr_data,   // the weight
    input  wire logic               fp_wr_gnt,    // taken
    output logic                    int_wr_en,    // write of an index, always taken
    output logic      [    IAW-1:0] int_wr_addr,  // its word
    output logic      [       31:0] int_wr_data,  // the index
    output logic                    done,         // the last writes are accepted
    output logic      [     QW-1:0] done_slot     // slot of the instruction
);
  localparam int LOGITS = plena_pkg::TOPK_LOGITS_1;  // the most logits of a policy
  localparam int K = plena_pkg::TOPK_CHOSEN_1;  // the most places of a policy
  localparam int IW = $clog2(LOGITS);  // bits of an index
  localparam int PW = $clog2(K);  // bits of a place
  localparam int W = MLEN < LOGITS ? MLEN : LOGITS;  // elements of a row that may count
  localparam int LW = $clog2(W);
  localparam int N = LOGITS / W;  // rows of the most logits
  localparam logic [15:0] KEY_MINUS_INF = 16'h007F;
  localparam logic [15:0] KEY_ZERO = 16'h8000;

  localparam logic [2:0] IDLE = 3'd0, SORT = 3'd1, EXP = 3'd2, SUM = 3'd3, RECI = 3'd4, WRITE = 3'd5;

  initial begin
    if (MLEN < 8 || (MLEN & (MLEN - 1)) != 0)
      $fatal(1, "topk: MLEN=%0d must be a power of two of at least 8", MLEN);
  end

  // Order of logits as unsigned numbers: NaN is -infinity, both zeros are one.
  function automatic logic [15:0] key_of(input logic [15:0] x);
    logic [15:0] value;
    value = plena_fp::bf16_flush(x);
    if (value == plena_fp::BF16_NAN) key_of = KEY_MINUS_INF;
    else if (value[14:0] == 15'd0) key_of = KEY_ZERO;
    else key_of = plena_fp::bf16_key(value);
  endfunction

  function automatic logic [15:0] value_of(input logic [15:0] place_key);
    value_of = place_key[15] ? {1'b0, place_key[14:0]} : ~place_key;
  endfunction

  logic [2:0] state_q;
  logic wide_q;
  logic [FAW-1:0] fp_base_q;
  logic [IAW-1:0] int_base_q;
  logic [PW:0] places;  // K of the policy
  logic [IW:0] logits;  // logits of the policy
  assign places = wide_q ? (PW + 1)'(K) : (PW + 1)'(plena_pkg::TOPK_CHOSEN_0);
  assign logits = wide_q ? (IW + 1)'(LOGITS) : (IW + 1)'(plena_pkg::TOPK_LOGITS_0);
  assign busy   = state_q != IDLE;

  // Rows of logits, and the logit to sort in.
  logic [W*16-1:0] rows[N];
  logic [IW:0] loaded_q, at_q;  // logits that have arrived, logits sorted in
  logic [W*16-1:0] row_now;
  logic [15:0] logit, key;
  logic sorting;  // the logit is sorted in
  if (N > 1) begin : g_rows
    assign row_now = rows[at_q[IW-1:LW]];
    always_ff @(posedge clk) if (row_valid) rows[loaded_q[IW-1:LW]] <= row[W*16-1:0];
  end else begin : g_row
    assign row_now = rows[0];
    always_ff @(posedge clk) if (row_valid) rows[0] <= row[W*16-1:0];
  end
  assign sorting = state_q == SORT && at_q < loaded_q;
  assign logit = row_now[{at_q[LW-1:0], 4'd0}+:16];
  assign key = key_of(logit);

  // The best so far, in order. An equal one never passes, so that the lower index stays in front; an empty place has
  // key 0, below that of -infinity.
  logic [K*16-1:0] keys_q;
  logic [K*IW-1:0] indices_q;
  logic [   K-1:0] passes;  // the logit goes before this place
  for (genvar j = 0; j < K; j++) begin : g_place
    assign passes[j] = key > keys_q[j*16+:16];
    always_ff @(posedge clk) begin
      if (start) keys_q[j*16+:16] <= '0;
      else if (sorting && passes[j]) begin
        if (j > 0 && passes[j>0?j-1 : 0]) begin
          keys_q[j*16+:16] <= keys_q[(j>0?j-1 : 0)*16+:16];
          indices_q[j*IW+:IW] <= indices_q[(j>0?j-1 : 0)*IW+:IW];
        end else begin
          keys_q[j*16+:16] <= key;
          indices_q[j*IW+:IW] <= at_q[IW-1:0];
        end
      end
    end
  end

  // Exponentials are nodes 0..K-1 of the tree; node K+t is the sum of nodes 2t and 2t+1, and node 2K-2 that of all.
  logic [31:0] nodes  [2*K];
  logic [PW:0] step_q;
  logic [15:0] distance_q, factor_q, weight_q;
  logic [plena_fp::SFU1_W-1:0] special_q;
  logic [PW-1:0] place_q;  // of the weight
  logic pending_q;  // the weight waits for FP_MEM

  always_ff @(posedge clk) begin
    case (state_q)
      IDLE: begin
        loaded_q <= '0;
        at_q <= '0;
        step_q <= '0;
        if (start) begin
          state_q <= SORT;
          wide_q <= start_wide;
          fp_base_q <= start_fp;
          int_base_q <= start_int;
          done_slot <= start_slot;
        end
      end
      SORT: begin
        if (row_valid) loaded_q <= loaded_q + (IW + 1)'(W);
        if (sorting) at_q <= at_q + 1'b1;
        if (sorting && at_q == logits - 1'b1) state_q <= EXP;
      end
      EXP: begin
        step_q <= step_q + 1'b1;
        distance_q <= plena_fp::bf16_sub(
            value_of(keys_q[{step_q[PW-1:0], 4'd0}+:16]), value_of(keys_q[0+:16])
        );
        special_q <= plena_fp::sfu_s1(plena_fp::SFU_EXP, distance_q);
        if (step_q >= (PW + 1)'(2))
          nodes[step_q-(PW+1)'(2)] <= {plena_fp::sfu_s3(plena_fp::sfu_s2(special_q)), 16'd0};
        if (step_q == places + 1'b1) begin
          step_q  <= '0;
          state_q <= SUM;
        end
      end
      SUM: begin
        step_q <= step_q + 1'b1;
        nodes[places+step_q] <= plena_fp::f32_add(
            nodes[{step_q[PW-1:0], 1'b0}], nodes[{step_q[PW-1:0], 1'b1}]
        );
        if (step_q == places - (PW + 1)'(2)) begin
          step_q  <= '0;
          state_q <= RECI;
        end
      end
      RECI: begin
        step_q <= step_q + 1'b1;
        special_q <= plena_fp::sfu_s1(plena_fp::SFU_RECI, plena_fp::f32_to_bf16(nodes[2*places-2]));
        factor_q <= plena_fp::sfu_s3(plena_fp::sfu_s2(special_q));
        if (step_q == (PW + 1)'(1)) begin
          step_q  <= '0;
          state_q <= WRITE;
        end
      end
      default: begin
        if (!pending_q || fp_wr_gnt) begin
          step_q <= step_q + 1'b1;
          pending_q <= step_q != places;
          place_q <= step_q[PW-1:0];
          weight_q <= plena_fp::bf16_mul(nodes[step_q][31:16], factor_q);
          if (step_q == places) state_q <= IDLE;
        end
      end
    endcase
    if (rst) begin
      state_q   <= IDLE;
      step_q    <= '0;
      pending_q <= 1'b0;
    end
  end

  assign fp_wr_en = pending_q;
  assign fp_wr_addr = fp_base_q + FAW'(place_q);
  assign fp_wr_data = weight_q;
  assign int_wr_en = pending_q && fp_wr_gnt;
  assign int_wr_addr = int_base_q + IAW'(place_q);
  assign int_wr_data = 32'(indices_q[place_q*IW+:IW]);
  assign done = pending_q && fp_wr_gnt && step_q == places;

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(topk_start_idle, start, !busy, "an instruction begins while one is under way")
  `PLENA_ASSERT_WHEN(topk_row_expected, row_valid, state_q == SORT && loaded_q < logits,
                     "a row of logits comes that nobody asked for")
endmodule

`default_nettype wire
