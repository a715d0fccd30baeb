// Dispatch slot: what dispatch must know of one instruction word besides its addresses, and the integer execution of it.
// Timing: combinational, part of the dispatch cycle.
// Specified in docs/isa.md, "Encoding" and "Traps", and docs/microarchitecture.md, "Frontend".
`timescale 1ns / 1ps
`default_nettype none

module dispatch_slot (
    input wire logic [31:0] instr,  // instruction word
    input wire logic [31:0] gp_rd,  // gp[rd]
    input wire logic [31:0] gp_rs1,  // gp[rs1]
    input wire logic [31:0] gp_rs2,  // gp[rs2]
    input wire logic [31:0] int_rd_data,  // INT_MEM word of S_LD_INT
    input wire logic loops_full,  // no loop can be opened
    input wire logic loops_empty,  // no loop is open
    input wire logic [3:0] loop_reg,  // register of the innermost loop
    output logic [3:0] cause,  // 0 or the lowest cause that needs no address
    output logic [2:0] unit,  // its unit: plena_pkg::UNIT_*
    output logic [3:0] unit_select,  // the same, one bit a unit: {HBM, float, vector, matrix}; 0 for none
    output logic addressed,  // it goes through the address check: a unit's, or one that uses INT_MEM
    output logic load_int,  // S_LD_INT
    output logic store_int,  // S_ST_INT
    output logic control,  // sets an HBM address register, SCALE, STRIDE or V_MASK
    output logic loop_start,  // C_LOOP_START
    output logic loop_end,  // C_LOOP_END
    output logic loop_again,  // C_LOOP_END that jumps back
    output logic stops,  // C_BREAK
    output logic gp_write,  // it writes gp[rd]
    output logic [31:0] gp_data,  // what it writes there
    output logic [31:0] handed_on  // the same without S_MUL_INT and S_LD_INT, for the second of a pair
);
  logic [5:0] opcode;
  assign opcode = plena_pkg::opcode_of(instr);
  // Wires: Icarus 11 may never leave a process that calls functions of the whole word.
  logic [ 3:0] target;
  logic [21:0] imm22;
  assign target = plena_pkg::rd_of(instr);
  assign imm22 = plena_pkg::imm22_of(instr);
  assign load_int = opcode == plena_pkg::OP_S_LD_INT;
  assign store_int = opcode == plena_pkg::OP_S_ST_INT;
  assign control = opcode == plena_pkg::OP_C_SET_ADDR_REG || opcode == plena_pkg::OP_C_SET_SCALE_REG ||
      opcode == plena_pkg::OP_C_SET_STRIDE_REG || opcode == plena_pkg::OP_C_SET_V_MASK_REG;
  assign loop_start = opcode == plena_pkg::OP_C_LOOP_START;
  assign loop_end = opcode == plena_pkg::OP_C_LOOP_END;
  assign loop_again = loop_end && gp_rd > 32'd1;
  assign stops = opcode == plena_pkg::OP_C_BREAK;

  assign unit = plena_pkg::op_unit(opcode);
  always_comb begin
    case (unit)
      plena_pkg::UNIT_M: unit_select = 4'b0001;
      plena_pkg::UNIT_V: unit_select = 4'b0010;
      plena_pkg::UNIT_F: unit_select = 4'b0100;
      plena_pkg::UNIT_H: unit_select = 4'b1000;
      default: unit_select = 4'b0000;
    endcase
  end
  assign addressed = unit_select != 4'd0 || load_int || store_int;
  assign gp_write  = plena_pkg::writes_gp(opcode);

  always_comb begin
    cause = plena_pkg::CAUSE_NONE;
    if (!plena_pkg::op_legal(opcode)) cause = plena_pkg::CAUSE_ILLEGAL_OPCODE;
    else if ((instr & plena_pkg::operand_zero_mask(opcode)) != 32'd0)
      cause = plena_pkg::CAUSE_ILLEGAL_OPERAND;
    else if (loop_start) begin
      if (target == 4'd0 || imm22 == 22'd0) cause = plena_pkg::CAUSE_LOOP_COUNT;
      else if (loops_full) cause = plena_pkg::CAUSE_LOOP_OVERFLOW;
    end else if (loop_end) begin
      if (loops_empty || loop_reg != target) cause = plena_pkg::CAUSE_LOOP_MISMATCH;
    end
  end

  logic [31:0] alu_quick, alu_result;
  integer_alu u_alu (
      .opcode(opcode),
      .a(gp_rs1),
      .b(gp_rs2),
      .imm18(plena_pkg::imm18_of(instr)),
      .imm22(imm22),
      .quick(alu_quick),
      .result(alu_result)
  );
  always_comb begin
    if (loop_start) handed_on = {10'd0, imm22};
    else if (loop_end) handed_on = loop_again ? gp_rd - 32'd1 : 32'd0;
    else handed_on = alu_quick;
  end
  always_comb begin
    if (loop_start || loop_end) gp_data = handed_on;
    else if (load_int) gp_data = int_rd_data;
    else gp_data = alu_result;
  end
endmodule

`default_nettype wire
