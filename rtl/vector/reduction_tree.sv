// Reduction of one row to one bf16 value: balanced f32 sum or maximum, then combined with an f register.
// Timing: a row in cycle t comes out in t+log2(MLEN) (sum) or t+ceil(log2(MLEN)/2) (maximum); a row a cycle.
// Specified in docs/isa.md, "Vector instructions" and "Numbers"; docs/microarchitecture.md, "Vector unit".
`timescale 1ns / 1ps
`default_nettype none

module reduction_tree #(
    parameter int MLEN = 64,  // elements of a row; a power of two
    parameter int QW   = 3    // bits of a slot number
) (
    input  wire logic               clk,        // clock
    input  wire logic               rst,        // synchronous reset
    input  wire logic               in_valid,   // a row enters
    input  wire logic               in_max,     // 1 maximum, 0 sum; must not come out together
    input  wire logic [MLEN*16-1:0] in_row,     // the row
    input  wire logic [   MLEN-1:0] in_mask,    // elements that count; the others are +0 or -inf
    input  wire logic [       15:0] in_f,       // value of the f register, combined last
    input  wire logic [        2:0] in_fsel,    // number of the f register, travels along
    input  wire logic [     QW-1:0] in_slot,    // slot, travels along
    output logic                    soon,       // a result leaves in the next cycle
    output logic      [     QW-1:0] soon_slot,  // slot of its instruction
    output logic                    out_valid,  // a result leaves
    output logic      [       15:0] out_value,  // the new value of the f register
    output logic      [        2:0] out_fsel    // its number
);
  localparam int LM = $clog2(MLEN);
  localparam int LX = (LM + 1) / 2;  // stages of the maximum: two tree levels each
  localparam int FW = 3 + 16;  // f number and value, which travel with a row
  localparam int TW = QW + FW;  // and its slot
  localparam logic [15:0] MINUS_INF = 16'hFF80;

  initial begin
    if (MLEN < 8 || (MLEN & (MLEN - 1)) != 0)
      $fatal(1, "reduction_tree: MLEN=%0d must be a power of two of at least 8", MLEN);
  end

  logic [LM:1] sum_valid_q;
  logic [LX:1] max_valid_q;

  always_ff @(posedge clk) begin
    if (rst) begin
      sum_valid_q <= '0;
      max_valid_q <= '0;
    end else begin
      sum_valid_q <= {sum_valid_q[LM-1:1], in_valid && !in_max};
      max_valid_q <= {max_valid_q[LX-1:1], in_valid && in_max};
    end
  end

  // Sum: one level a cycle. The loops stay loops in Verilator, for the sake of the C++ compiler.
  for (genvar l = 1; l <= LM; l++) begin : g_sum
    localparam int N = MLEN >> l;
    localparam int T = l == LM ? FW : TW;  // the slot leaves a stage before the last
    logic [N*32-1:0] node_q;
    logic [   T-1:0] tag_q;
    if (l == 1) begin : g_leaf
      always_ff @(posedge clk) begin
        if (in_valid && !in_max) begin
          tag_q <= {in_slot, in_fsel, in_f};
          // verilator unroll_disable
          for (int i = 0; i < N; i++) begin
            node_q[i*32+:32] <= plena_fp::f32_add(
                {
                  in_row[i*32+:16] & {16{in_mask[2*i]}}, 16'd0
                },
                {
                  in_row[i*32+16+:16] & {16{in_mask[2*i+1]}}, 16'd0
                }
            );
          end
        end
      end
    end else begin : g_inner
      always_ff @(posedge clk) begin
        if (sum_valid_q[l-1]) begin
          tag_q <= g_sum[l-1].tag_q[T-1:0];
          // verilator unroll_disable
          for (int i = 0; i < N; i++) begin
            node_q[i*32+:32] <=
                plena_fp::f32_add(g_sum[l-1].node_q[i*64+:32], g_sum[l-1].node_q[i*64+32+:32]);
          end
        end
      end
    end
  end

  // Maximum: two levels a cycle, so the last stage of an odd depth has one.
  for (genvar l = 1; l <= LX; l++) begin : g_max
    localparam int N = 2 * l > LM ? 1 : MLEN >> (2 * l);
    localparam int T = l == LX ? FW : TW;
    logic [N*16-1:0] node_q;
    logic [   T-1:0] tag_q;
    if (l == 1) begin : g_leaf
      always_ff @(posedge clk) begin
        if (in_valid && in_max) begin
          tag_q <= {in_slot, in_fsel, in_f};
          // verilator unroll_disable
          for (int i = 0; i < N; i++) begin
            node_q[i*16+:16] <= plena_fp::bf16_max(
                plena_fp::bf16_max(
                    in_mask[4*i] ? in_row[i*64+:16] : MINUS_INF,
                    in_mask[4*i+1] ? in_row[i*64+16+:16] : MINUS_INF
                ),
                plena_fp::bf16_max(
                    in_mask[4*i+2] ? in_row[i*64+32+:16] : MINUS_INF,
                    in_mask[4*i+3] ? in_row[i*64+48+:16] : MINUS_INF)
            );
          end
        end
      end
    end else if (2 * l > LM) begin : g_last
      always_ff @(posedge clk) begin
        if (max_valid_q[l-1]) begin
          tag_q  <= g_max[l-1].tag_q[T-1:0];
          node_q <= plena_fp::bf16_max(g_max[l-1].node_q[15:0], g_max[l-1].node_q[31:16]);
        end
      end
    end else begin : g_inner
      always_ff @(posedge clk) begin
        if (max_valid_q[l-1]) begin
          tag_q <= g_max[l-1].tag_q[T-1:0];
          // verilator unroll_disable
          for (int i = 0; i < N; i++) begin
            node_q[i*16+:16] <= plena_fp::bf16_max(
                plena_fp::bf16_max(
                    g_max[l-1].node_q[i*64+:16], g_max[l-1].node_q[i*64+16+:16]
                ),
                plena_fp::bf16_max(
                    g_max[l-1].node_q[i*64+32+:16], g_max[l-1].node_q[i*64+48+:16])
            );
          end
        end
      end
    end
  end

  // The old value of the f register comes last.
  logic [15:0] sum_f, max_f, sum_value, max_value;
  logic [2:0] sum_fsel, max_fsel;
  assign {sum_fsel, sum_f} = g_sum[LM].tag_q;
  assign {max_fsel, max_f} = g_max[LX].tag_q;
  assign sum_value = plena_fp::f32_to_bf16(plena_fp::f32_add({sum_f, 16'd0}, g_sum[LM].node_q));
  assign max_value = plena_fp::bf16_max(max_f, g_max[LX].node_q);
  assign out_valid = sum_valid_q[LM] || max_valid_q[LX];
  assign out_value = sum_valid_q[LM] ? sum_value : max_value;
  assign out_fsel = sum_valid_q[LM] ? sum_fsel : max_fsel;
  assign soon = sum_valid_q[LM-1] || max_valid_q[LX-1];
  assign soon_slot = sum_valid_q[LM-1] ? g_sum[LM-1].tag_q[TW-1:FW] : g_max[LX-1].tag_q[TW-1:FW];

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(reduction_one_result, sum_valid_q[LM-1], !max_valid_q[LX-1],
                     "a sum and a maximum leave together")
endmodule

`default_nettype wire
