// One processing element of the array: bf16 product, then f32 sum.
// Timing: operands, product and sum are registers, as in systolic_array.
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
    product <= plena_fp::bf16_mul_f32({16'd0, a_q}, {16'd0, b_q});
    sum <= plena_fp::f32_add(clear ? 32'd0 : sum, product);
  end
endmodule

`default_nettype wire
