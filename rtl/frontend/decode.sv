// Decoder: the unit's own operation code of an instruction, and what it reads and writes outside the integer registers.
// Timing: combinational, part of the dispatch cycle.
// Specified in docs/isa.md, "Encoding"; the tables are those of plena_pkg, which come from plena_ref/isa.
`timescale 1ns / 1ps
`default_nettype none

module decode (
    input wire logic [31:0] instr,  // instruction word
    output logic [plena_pkg::UNIT_OP_W-1:0] unit_op,  // operation code of its unit
    output logic reads_row_a,  // reads VRAM rows from source a on
    output logic reads_row_b,  // reads the VRAM row of source b
    output logic writes_rows,  // writes VRAM rows
    output logic reads_tile,  // reads an MSRAM tile
    output logic writes_tile,  // writes an MSRAM tile
    output logic reads_fp,  // reads FP_MEM words
    output logic writes_fp,  // writes FP_MEM words
    output logic [3:0] fp_count,  // how many: plena_pkg::COUNT_*
    output logic wide_topk,  // the policy of V_TOPK
    output logic vector_f,  // the second vector source is an f register
    output logic masked,  // only the lanes that V_MASK selects
    output logic [7:0] f_read,  // f registers read (never f0)
    output logic [7:0] f_write  // f registers written (never f0)
);
  logic [5:0] opcode;
  assign opcode = plena_pkg::opcode_of(instr);
  assign unit_op = plena_pkg::unit_operation(instr);
  assign reads_row_a = plena_pkg::reads_row_a(opcode);
  assign reads_row_b = plena_pkg::reads_row_b(opcode);
  assign writes_rows = plena_pkg::writes_rows(opcode);
  assign reads_tile = plena_pkg::reads_tile(opcode);
  assign writes_tile = plena_pkg::writes_tile(opcode);
  assign reads_fp = plena_pkg::reads_fp(opcode);
  assign writes_fp = plena_pkg::writes_fp(opcode);
  assign fp_count = plena_pkg::fp_words_count(opcode);
  assign wide_topk = plena_pkg::policy_of(instr);
  assign vector_f = plena_pkg::vector_f(opcode);
  assign masked = plena_pkg::rmask_of(instr);
  assign f_read = plena_pkg::reads_f(instr);
  assign f_write = plena_pkg::writes_f(instr);
endmodule

`default_nettype wire
