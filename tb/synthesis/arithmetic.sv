// The arithmetic that decides area and clock, one piece a module, so that synthesis can map it alone.
// Timing: a register behind each step, as the units have them; float_adder is combinational.
// Specified in docs/synthesis.md.
`timescale 1ns / 1ps
`default_nettype none

module processing_element (
    input wire clk,  // clock
    input wire clear,  // start from +0 instead of the sum so far
    input wire [15:0] a,  // bf16 operand of this cycle
    input wire [15:0] b,  // bf16 operand of this cycle
    output logic [31:0] sum  // f32 accumulator
);
  logic [15:0] a_q;
  logic [15:0] b_q;
  logic [31:0] product;
  always_ff @(posedge clk) begin
    a_q <= a;
    b_q <= b;
    product <= plena_fp::bf16_mul_f32(a_q, b_q);
    sum <= plena_fp::f32_add(clear ? 32'd0 : sum, product);
  end
endmodule

module float_adder (
    input wire [31:0] a,  // f32 operand
    input wire [31:0] b,  // f32 operand
    output logic [31:0] sum  // f32 sum
);
  assign sum = plena_fp::f32_add(a, b);
endmodule

module exponential (
    input wire clk,  // clock
    input wire [15:0] x,  // bf16 operand
    output logic [15:0] y  // exp(x), two cycles later
);
  logic [plena_fp::SFU1_W-1:0] middle;
  always_ff @(posedge clk) begin
    middle <= plena_fp::sfu_s1(plena_fp::SFU_EXP, x);
    y <= plena_fp::sfu_s3(plena_fp::sfu_s2(middle));
  end
endmodule

`default_nettype wire
