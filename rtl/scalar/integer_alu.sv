// Integer arithmetic of the S_*_INT instructions, modulo 2^32.
// Timing: combinational; executed in the dispatch cycle.
// Specified in docs/isa.md, "Scalar and control instructions".
`timescale 1ns / 1ps
`default_nettype none

module integer_alu (
    input  wire logic [ 5:0] opcode,  // instruction
    input  wire logic [31:0] a,       // gp[rs1]
    input  wire logic [31:0] b,       // gp[rs2]
    input  wire logic [17:0] imm18,   // unsigned immediate of S_ADDI_INT
    input  wire logic [21:0] imm22,   // immediate of S_LUI_INT
    output logic      [31:0] quick,   // value for gp[rd], of S_MUL_INT excepted
    output logic      [31:0] result   // value for gp[rd]
);
  logic [31:0] upper;
  assign upper = {imm22[19:0], 12'd0};
  always_comb begin
    case (opcode)
      plena_pkg::OP_S_SUB_INT: quick = a - b;
      plena_pkg::OP_S_ADDI_INT: quick = a + {14'd0, imm18};
      plena_pkg::OP_S_LUI_INT: quick = upper;
      plena_pkg::OP_S_ADD_INT: quick = a + b;
      default: quick = 32'd0;
    endcase
  end
  assign result = opcode == plena_pkg::OP_S_MUL_INT ? a * b : quick;

  logic unused;
  assign unused = |imm22[21:20];  // S_LUI_INT drops bits above 31
endmodule

`default_nettype wire
