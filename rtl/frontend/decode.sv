// Unit decoder: the unit's own operation code of an instruction, and what it reads and writes outside the integer registers.
// Timing: combinational, part of the dispatch cycle.
// Specified in docs/isa.md, "Encoding"; operation codes of the units in docs/microarchitecture.md.
`timescale 1ns / 1ps
`default_nettype none

module decode (
    input  wire logic [31:0] instr,       // instruction word
    output logic      [ 3:0] unit_op,     // operation code of its unit
    output logic             v_source_a,  // reads VRAM row gp[rs1]
    output logic             v_source_b,  // reads VRAM row gp[rs2]
    output logic             v_dest,      // writes VRAM row gp[rd]
    output logic      [ 7:0] f_read,      // f registers read (never f0)
    output logic      [ 7:0] f_write      // f registers written (never f0)
);
  logic [5:0] opcode;
  logic [7:0] f_rd, f_rs1, f_rs2;
  logic reverse;  // rorder of V_SUB_VF
  assign opcode = instr[5:0];
  assign reverse = instr[22];
  assign f_rd = (8'd1 << instr[8:6]) & 8'hFE;
  assign f_rs1 = (8'd1 << instr[12:10]) & 8'hFE;
  assign f_rs2 = (8'd1 << instr[16:14]) & 8'hFE;

  always_comb begin
    unit_op = 4'd0;
    v_source_a = 1'b0;
    v_source_b = 1'b0;
    v_dest = 1'b0;
    f_read = 8'd0;
    f_write = 8'd0;
    case (opcode)
      // {per-head, one row, write-out, transposed tile}
      plena_pkg::OP_M_MM: unit_op = 4'b0000;
      plena_pkg::OP_M_TMM: unit_op = 4'b0001;
      plena_pkg::OP_M_MM_WO: unit_op = 4'b0010;
      plena_pkg::OP_M_MV: unit_op = 4'b0100;
      plena_pkg::OP_M_TMV: unit_op = 4'b0101;
      plena_pkg::OP_M_MV_WO: unit_op = 4'b0110;
      plena_pkg::OP_M_BMM: unit_op = 4'b1000;
      plena_pkg::OP_M_BTMM: unit_op = 4'b1001;
      plena_pkg::OP_M_BMM_WO: unit_op = 4'b1010;
      plena_pkg::OP_M_BMV: unit_op = 4'b1100;
      plena_pkg::OP_M_BTMV: unit_op = 4'b1101;
      plena_pkg::OP_M_BMV_WO: unit_op = 4'b1110;

      plena_pkg::OP_V_ADD_VV, plena_pkg::OP_V_ADD_VF: unit_op = 4'd0;
      plena_pkg::OP_V_SUB_VV: unit_op = 4'd1;
      plena_pkg::OP_V_SUB_VF: unit_op = reverse ? 4'd3 : 4'd1;
      plena_pkg::OP_V_MUL_VV, plena_pkg::OP_V_MUL_VF: unit_op = 4'd2;
      plena_pkg::OP_V_MAX_VF: unit_op = 4'd4;
      plena_pkg::OP_V_MIN_VF: unit_op = 4'd5;
      plena_pkg::OP_V_EXP_V: unit_op = 4'd6;
      plena_pkg::OP_V_RECI_V: unit_op = 4'd7;
      plena_pkg::OP_V_SHFT_V: unit_op = 4'd8;
      plena_pkg::OP_S_MAP_V_FP: unit_op = 4'd9;
      plena_pkg::OP_V_RED_SUM: unit_op = 4'd10;
      plena_pkg::OP_V_RED_MAX: unit_op = 4'd11;
      plena_pkg::OP_V_TOPK: unit_op = instr[18] ? 4'd13 : 4'd12;

      plena_pkg::OP_S_ADD_FP:  unit_op = 4'd0;
      plena_pkg::OP_S_SUB_FP:  unit_op = 4'd1;
      plena_pkg::OP_S_MAX_FP:  unit_op = 4'd2;
      plena_pkg::OP_S_MUL_FP:  unit_op = 4'd3;
      plena_pkg::OP_S_EXP_FP:  unit_op = 4'd4;
      plena_pkg::OP_S_RECI_FP: unit_op = 4'd5;
      plena_pkg::OP_S_SQRT_FP: unit_op = 4'd6;
      plena_pkg::OP_S_LD_FP:   unit_op = 4'd7;
      plena_pkg::OP_S_ST_FP:   unit_op = 4'd8;

      plena_pkg::OP_H_PREFETCH_M: unit_op = 4'd0;
      plena_pkg::OP_H_PREFETCH_V: unit_op = 4'd1;
      plena_pkg::OP_H_STORE_V: unit_op = 4'd2;
      default: unit_op = 4'd0;
    endcase
    case (opcode)
      plena_pkg::OP_V_ADD_VV, plena_pkg::OP_V_SUB_VV, plena_pkg::OP_V_MUL_VV: begin
        v_source_a = 1'b1;
        v_source_b = 1'b1;
        v_dest = 1'b1;
      end
      plena_pkg::OP_V_ADD_VF, plena_pkg::OP_V_SUB_VF, plena_pkg::OP_V_MUL_VF,
      plena_pkg::OP_V_MAX_VF, plena_pkg::OP_V_MIN_VF: begin
        v_source_a = 1'b1;
        v_dest = 1'b1;
        f_read = f_rs2;
      end
      plena_pkg::OP_V_EXP_V, plena_pkg::OP_V_RECI_V, plena_pkg::OP_V_SHFT_V: begin
        v_source_a = 1'b1;
        v_dest = 1'b1;
      end
      plena_pkg::OP_V_RED_SUM, plena_pkg::OP_V_RED_MAX: begin
        v_source_a = 1'b1;
        f_read = f_rd;
        f_write = f_rd;
      end
      plena_pkg::OP_S_MAP_V_FP: v_dest = 1'b1;
      plena_pkg::OP_V_TOPK: v_source_a = 1'b1;
      plena_pkg::OP_S_ADD_FP, plena_pkg::OP_S_SUB_FP, plena_pkg::OP_S_MAX_FP, plena_pkg::OP_S_MUL_FP: begin
        f_read  = f_rs1 | f_rs2;
        f_write = f_rd;
      end
      plena_pkg::OP_S_EXP_FP, plena_pkg::OP_S_RECI_FP, plena_pkg::OP_S_SQRT_FP: begin
        f_read  = f_rs1;
        f_write = f_rd;
      end
      plena_pkg::OP_S_LD_FP: f_write = f_rd;
      plena_pkg::OP_S_ST_FP: f_read = f_rd;
      default: ;
    endcase
  end

  logic unused;
  assign unused = |{instr[31:23], instr[21:17], instr[13], instr[9]};
endmodule

`default_nettype wire
