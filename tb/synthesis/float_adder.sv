// The f32 adder of array, reduction tree and write-out.
// Timing: combinational.
// Specified in docs/synthesis.md.
`timescale 1ns / 1ps
`default_nettype none

module float_adder (
    input  wire  [31:0] a,   // f32 operand
    input  wire  [31:0] b,   // f32 operand
    output logic [31:0] sum  // f32 sum
);
  assign sum = plena_fp::f32_add(a, b);
endmodule

`default_nettype wire
