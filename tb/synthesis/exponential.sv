// The exponential of one vector lane.
// Timing: two cycles, cut where vector_lanes cuts it.
// Specified in docs/synthesis.md.
`timescale 1ns / 1ps
`default_nettype none

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
