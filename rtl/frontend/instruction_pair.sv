// Instruction pair: the two words that dispatch looks at, their registers, their decode and integer execution.
// Timing: combinational, part of the dispatch cycle; integer results are written at its end.
// Specified in docs/microarchitecture.md, "Frontend".
`timescale 1ns / 1ps
`default_nettype none

module instruction_pair #(
    parameter int DISPATCH_WIDTH = 2  // instructions a cycle at most: 1 or 2
) (
    input wire logic clk,  // clock
    input wire logic init,  // registers become 0 (reset, start)
    input wire logic [31:0] first_word,  // the first
    input wire logic [31:0] second_word,  // the one behind it
    input wire logic [31:0] int_rd_data,  // INT_MEM word of S_LD_INT
    input wire logic loops_full,  // no loop can be opened
    input wire logic loops_empty,  // no loop is open
    input wire logic [3:0] loop_reg,  // register of the innermost loop
    input wire logic first_retire,  // the first retires
    input wire logic second_retire,  // the second retires
    output logic [511:0] gp_state,  // gp0..gp15
    output logic [31:0] first_rd,  // gp[rd] of the first
    output logic [31:0] first_rs1,  // gp[rs1] of the first
    output logic [31:0] first_rs2,  // gp[rs2] of the first
    output logic [31:0] second_rd,  // gp[rd] of the second, after the first
    output logic [31:0] second_rs1,  // gp[rs1] of the second, after the first
    output logic [31:0] second_rs2,  // gp[rs2] of the second, after the first
    output logic [3:0] first_target,  // field rd of the first
    output logic [3:0] first_cause,  // 0 or the lowest cause that needs no address
    output logic [2:0] first_unit,  // its unit: plena_pkg::UNIT_*
    output logic [3:0] first_select,  // the same, one bit a unit; 0 for none
    output logic first_addressed,  // it goes through the address check
    output logic first_load,  // S_LD_INT
    output logic first_store,  // S_ST_INT
    output logic first_control,  // sets a register of program_registers
    output logic first_start,  // C_LOOP_START
    output logic first_end,  // C_LOOP_END
    output logic first_again,  // C_LOOP_END that jumps back
    output logic first_stops,  // C_BREAK
    output logic [3:0] second_target,  // field rd of the second
    output logic [3:0] second_cause,  // 0 or the lowest cause that needs no address
    output logic [2:0] second_unit,  // its unit: plena_pkg::UNIT_*
    output logic [3:0] second_select,  // the same, one bit a unit; 0 for none
    output logic second_addressed,  // it goes through the address check
    output logic second_load,  // S_LD_INT
    output logic second_store,  // S_ST_INT
    output logic second_control,  // sets a register of program_registers
    output logic second_start,  // C_LOOP_START
    output logic second_end,  // C_LOOP_END
    output logic second_again,  // C_LOOP_END that jumps back
    output logic second_stops,  // C_BREAK
    output logic needs_product,  // the second needs a product of the first, which comes too late
    // The one of the pair whose operands are addresses, and with them the unit's payload; the first when neither is.
    output logic second_in_use,  // it is the second
    output logic [31:0] instr,  // its word
    output logic [31:0] gp_rd,  // its gp[rd]
    output logic [31:0] gp_rs1,  // its gp[rs1]
    output logic [31:0] gp_rs2,  // its gp[rs2]
    output logic [3:0] unit_select  // its unit, one bit a unit
);
  logic [31:0] first_data, first_handed_on, second_data, second_handed_on;
  logic [31:0] file_rd, file_rs1, file_rs2;
  logic first_gp_write, second_gp_write;
  logic unused_second;
  assign unused_second = |second_handed_on;  // nothing goes behind the second
  assign first_target  = plena_pkg::rd_of(first_word);
  assign second_target = plena_pkg::rd_of(second_word);
  gp_file u_gp (
      .clk(clk),
      .clear(init),
      .address({
        plena_pkg::rs2_of(second_word),
        plena_pkg::rs1_of(second_word),
        second_target,
        plena_pkg::rs2_of(first_word),
        plena_pkg::rs1_of(first_word),
        first_target
      }),
      .data({file_rs2, file_rs1, file_rd, first_rs2, first_rs1, first_rd}),
      .we1(first_retire && first_gp_write),
      .wa1(first_target),
      .wd1(first_data),
      .we2(second_retire && second_gp_write),
      .wa2(second_target),
      .wd2(second_data),
      .state(gp_state)
  );
  dispatch_slot u_first (
      .instr(first_word),
      .gp_rd(first_rd),
      .gp_rs1(first_rs1),
      .gp_rs2(first_rs2),
      .int_rd_data(int_rd_data),
      .loops_full(loops_full),
      .loops_empty(loops_empty),
      .loop_reg(loop_reg),
      .cause(first_cause),
      .unit(first_unit),
      .unit_select(first_select),
      .addressed(first_addressed),
      .load_int(first_load),
      .store_int(first_store),
      .control(first_control),
      .loop_start(first_start),
      .loop_end(first_end),
      .loop_again(first_again),
      .stops(first_stops),
      .gp_write(first_gp_write),
      .gp_data(first_data),
      .handed_on(first_handed_on)
  );
  dispatch_slot u_second (
      .instr(second_word),
      .gp_rd(second_rd),
      .gp_rs1(second_rs1),
      .gp_rs2(second_rs2),
      .int_rd_data(32'd0),
      .loops_full(loops_full),
      .loops_empty(loops_empty),
      .loop_reg(loop_reg),
      .cause(second_cause),
      .unit(second_unit),
      .unit_select(second_select),
      .addressed(second_addressed),
      .load_int(second_load),
      .store_int(second_store),
      .control(second_control),
      .loop_start(second_start),
      .loop_end(second_end),
      .loop_again(second_again),
      .stops(second_stops),
      .gp_write(second_gp_write),
      .gp_data(second_data),
      .handed_on(second_handed_on)
  );

  // What the first writes, the second sees.
  logic forward_rd, forward_rs1, forward_rs2;
  logic hands_on;
  assign hands_on = first_gp_write && first_target != 4'd0;
  assign forward_rd = hands_on && first_target == second_target;
  assign forward_rs1 = hands_on && first_target == plena_pkg::rs1_of(second_word);
  assign forward_rs2 = hands_on && first_target == plena_pkg::rs2_of(second_word);
  assign second_rd = forward_rd ? first_handed_on : file_rd;
  assign second_rs1 = forward_rs1 ? first_handed_on : file_rs1;
  assign second_rs2 = forward_rs2 ? first_handed_on : file_rs2;

  assign needs_product = plena_pkg::opcode_of(
      first_word
  ) == plena_pkg::OP_S_MUL_INT && (forward_rd || forward_rs1 || forward_rs2);

  assign second_in_use = DISPATCH_WIDTH == 2 && !first_addressed && second_addressed;
  assign instr = second_in_use ? second_word : first_word;
  assign gp_rd = second_in_use ? second_rd : first_rd;
  assign gp_rs1 = second_in_use ? second_rs1 : first_rs1;
  assign gp_rs2 = second_in_use ? second_rs2 : first_rs2;
  assign unit_select = second_in_use ? second_select : first_select;
endmodule

`default_nettype wire
