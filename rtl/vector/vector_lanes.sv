// The MLEN elementwise lanes of the vector unit: operation, then rounding under the element mask.
// Timing: operands with `start` in cycle t give `result` in a register in cycle t+2; a row a cycle.
// Specified in docs/isa.md, "Vector instructions" and "Numbers"; docs/microarchitecture.md, "Vector unit".
`timescale 1ns / 1ps
`default_nettype none

module vector_lanes #(
    parameter int MLEN = 64  // elements of a row; a power of two
) (
    input wire logic clk,  // clock
    input wire logic start,  // operands are valid
    input wire logic [plena_pkg::UNIT_OP_W-1:0] op,  // elementwise operation of the vector unit
    input wire logic [MLEN*16-1:0] a,  // first source
    input wire logic [MLEN*16-1:0] b,  // second source, or f in every lane
    input wire logic [MLEN-1:0] mask,  // elements that take the result; others keep a
    input wire logic [$clog2(MLEN):0] shift,  // distance of SHFT
    output logic [MLEN*16-1:0] result  // the row to write
);
  localparam int S1 = plena_fp::SFU1_W;
  localparam int MW = S1 > 32 ? S1 : 32;  // bits of a lane between the halves

  // Signs turned over for a - b and b - a.
  logic [15:0] flip_a, flip_b;
  assign flip_a = {op == plena_pkg::V_OP_RSUB, 15'd0};
  assign flip_b = {op == plena_pkg::V_OP_SUB, 15'd0};

  // The loops stay loops in Verilator: unrolled, they make the C++ of a wide machine slow to compile.
  logic valid_q;  // start, a cycle later
  logic [MLEN*MW-1:0] mid_q;  // f32 before rounding, or the special function after its first stage
  logic [MLEN*16-1:0] raw_q;  // bits of the lanes that no arithmetic touches
  logic [MLEN-1:0] computed_q;  // lanes that take the arithmetic result
  logic special_q;  // mid holds special functions
  logic moved_q;  // nothing to compute at all

  always_ff @(posedge clk) begin
    valid_q <= start;
    if (start) begin
      special_q <= op == plena_pkg::V_OP_EXP || op == plena_pkg::V_OP_RECI;
      moved_q <= op == plena_pkg::V_OP_SHFT || op == plena_pkg::V_OP_MAP;
      computed_q <= mask;
      raw_q <= op == plena_pkg::V_OP_SHFT ? a << {shift, 4'd0} : a;
      case (op)
        plena_pkg::V_OP_SHFT, plena_pkg::V_OP_MAP: ;
        plena_pkg::V_OP_EXP, plena_pkg::V_OP_RECI: begin
          // verilator unroll_disable
          for (int i = 0; i < MLEN; i++) begin
            mid_q[i*MW+:S1] <= plena_fp::sfu_s1({1'b0, op == plena_pkg::V_OP_RECI}, a[i*16+:16]);
          end
        end
        plena_pkg::V_OP_MUL: begin
          // verilator unroll_disable
          for (int i = 0; i < MLEN; i++) begin
            mid_q[i*MW+:32] <= plena_fp::bf16_mul_f32({16'd0, a[i*16+:16]}, {16'd0, b[i*16+:16]});
          end
        end
        plena_pkg::V_OP_MAX: begin
          // verilator unroll_disable
          for (int i = 0; i < MLEN; i++) begin
            mid_q[i*MW+:32] <= {plena_fp::bf16_max(a[i*16+:16], b[i*16+:16]), 16'd0};
          end
        end
        plena_pkg::V_OP_MIN: begin
          // verilator unroll_disable
          for (int i = 0; i < MLEN; i++) begin
            mid_q[i*MW+:32] <= {plena_fp::bf16_min(a[i*16+:16], b[i*16+:16]), 16'd0};
          end
        end
        plena_pkg::V_OP_ADD, plena_pkg::V_OP_SUB, plena_pkg::V_OP_RSUB: begin
          // verilator unroll_disable
          for (int i = 0; i < MLEN; i++) begin
            mid_q[i*MW+:32] <=
                plena_fp::f32_add({a[i*16+:16] ^ flip_a, 16'd0}, {b[i*16+:16] ^ flip_b, 16'd0});
          end
        end
        default: ;  // none: dispatch has no instruction for it
      endcase
    end
    if (valid_q) begin
      result <= raw_q;
      if (special_q) begin
        // verilator unroll_disable
        for (int i = 0; i < MLEN; i++) begin
          if (computed_q[i])
            result[i*16+:16] <= plena_fp::sfu_s3(plena_fp::sfu_s2(mid_q[i*MW+:S1]));
        end
      end else if (!moved_q) begin
        // verilator unroll_disable
        for (int i = 0; i < MLEN; i++) begin
          if (computed_q[i]) result[i*16+:16] <= plena_fp::f32_to_bf16(mid_q[i*MW+:32]);
        end
      end
    end
  end
endmodule

`default_nettype wire
