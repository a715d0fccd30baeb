// fp_vectors: applies one arithmetic function to every operand pair of operands.bin, writes results.bin.
// Runs at time 0 without a clock, then raises done; +op=N chooses the function by the codes below.
// The functions are specified in docs/isa.md, "Numbers".
`timescale 1ns / 1ps
`default_nettype none

module fp_vectors #(
    parameter int ELEMENT = 0  // element format of the functions of mx_functions.svh
) (
    output logic done  // every vector has been written
);

  `include "mx_functions.svh"

  // One code a function; tb/unit/vectors.py has the same list.
  localparam int F32_ADD = 0;
  localparam int BF16_MUL_F32 = 1;
  localparam int BF16_TO_F32 = 2;
  localparam int F32_TO_BF16 = 3;
  localparam int BF16_FLUSH = 4;
  localparam int BF16_ADD = 5;
  localparam int BF16_SUB = 6;
  localparam int BF16_MUL = 7;
  localparam int BF16_MAX = 8;
  localparam int BF16_MIN = 9;
  localparam int SFU = 10;
  localparam int MX_DECODE = 11;
  localparam int MX_SCALE = 12;
  localparam int MX_ENCODE = 13;

  integer op;
  integer operands;
  integer results;
  integer count;
  logic [63:0] pair;
  logic [31:0] a;
  logic [31:0] b;
  logic [31:0] y;

  initial begin
    done = 1'b0;
    if (!$value$plusargs("op=%d", op)) $fatal(1, "no +op");
    operands = $fopen("operands.bin", "rb");
    results  = $fopen("results.bin", "wb");
    if (operands == 0 || results == 0) $fatal(1, "cannot open the vector files");
    count = $fread(pair, operands);
    while (count == 8) begin
      a = pair[63:32];
      b = pair[31:0];
      y = 32'd0;
      case (op)
        F32_ADD: y = plena_fp::f32_add(a, b);
        BF16_MUL_F32: y = plena_fp::bf16_mul_f32(a, b);
        BF16_TO_F32: y = plena_fp::bf16_to_f32(a[15:0]);
        F32_TO_BF16: y[15:0] = plena_fp::f32_to_bf16(a);
        BF16_FLUSH: y[15:0] = plena_fp::bf16_flush(a[15:0]);
        BF16_ADD: y[15:0] = plena_fp::bf16_add(a[15:0], b[15:0]);
        BF16_SUB: y[15:0] = plena_fp::bf16_sub(a[15:0], b[15:0]);
        BF16_MUL: y[15:0] = plena_fp::bf16_mul(a[15:0], b[15:0]);
        BF16_MAX: y[15:0] = plena_fp::bf16_max(a[15:0], b[15:0]);
        BF16_MIN: y[15:0] = plena_fp::bf16_min(a[15:0], b[15:0]);
        SFU: y[15:0] = plena_fp::sfu_s3(plena_fp::sfu_s2(plena_fp::sfu_s1(b[1:0], a[15:0])));
        MX_DECODE: y[15:0] = mx_decode(a[7:0], b[7:0]);
        MX_SCALE: y[7:0] = mx_scale(a[15:0], b[0]);
        MX_ENCODE: y[7:0] = mx_encode(a[15:0], b[7:0]);
        default: $fatal(1, "unknown function %0d", op);
      endcase
      $fwrite(results, "%u", y);
      count = $fread(pair, operands);
    end
    $fclose(operands);
    $fclose(results);
    done = 1'b1;
  end

endmodule

`default_nettype wire
