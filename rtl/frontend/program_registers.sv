// Registers that a program sets: HBM addresses, SCALE, STRIDE and V_MASK, written by either instruction of a pair.
// Timing: a write is seen in the next cycle; of two to one register the second stays.
// Specified in docs/isa.md, "Architectural state".
`timescale 1ns / 1ps
`default_nettype none

module program_registers #(
    parameter int LANES = 1  // bits of V_MASK
) (
    input wire logic clk,  // clock
    input wire logic init,  // values of a start: 0, STRIDE 1
    input wire logic [1:0] write,  // an instruction writes one, the first of the pair lowest
    input wire logic [63:0] instr,  // the pair
    input wire logic [63:0] gp_rd,  // gp[rd] of each
    input wire logic [63:0] gp_rs1,  // gp[rs1] of each
    input wire logic [63:0] gp_rs2,  // gp[rs2] of each
    output logic [511:0] a_state,  // a0..a7
    output logic [31:0] scale,  // SCALE
    output logic [31:0] stride,  // STRIDE
    output logic [LANES-1:0] v_mask  // V_MASK
);
  always_ff @(posedge clk) begin
    if (init) begin
      a_state <= '0;
      scale   <= '0;
      stride  <= 32'd1;
      v_mask  <= '0;
    end else begin
      for (int k = 0; k < 2; k++)
      if (write[k])
        case (plena_pkg::opcode_of(
            instr[k*32+:32]
        ))
          plena_pkg::OP_C_SET_ADDR_REG:
          a_state[{
            plena_pkg::a_rd_of(instr[k*32+:32]), 6'd0
          }+:64] <= {
            gp_rs1[k*32+:32], gp_rs2[k*32+:32]
          };
          plena_pkg::OP_C_SET_SCALE_REG: scale <= gp_rd[k*32+:32];
          plena_pkg::OP_C_SET_STRIDE_REG: stride <= gp_rd[k*32+:32];
          plena_pkg::OP_C_SET_V_MASK_REG: v_mask <= gp_rd[k*32+:LANES];
          default: ;
        endcase
    end
  end
endmodule

`default_nettype wire
