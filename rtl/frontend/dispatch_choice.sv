// Dispatch choice: whether the first instruction goes, the second with it, or dispatch stops; what is next; why nothing goes.
// Timing: combinational, part of the dispatch cycle.
// Specified in docs/microarchitecture.md, "Frontend", and docs/isa.md, "Traps".
`timescale 1ns / 1ps
`default_nettype none

module dispatch_choice #(
    parameter int DISPATCH_WIDTH = 2  // instructions a cycle at most: 1 or 2
) (
    // run
    input wire logic dispatching,  // a program runs and does not drain
    input wire logic go,  // a run begins
    input wire logic start,  // it begins at pc 0
    input wire logic [31:0] resume_pc,  // or here
    input wire logic watchdog_hit,  // the cycle limit is reached
    input wire logic fault_any,  // a bus error was met
    input wire logic running,  // a program runs or drains
    input wire logic [63:0] base,  // byte address of the program
    input wire logic [31:0] length,  // program length in words
    input wire logic [31:0] pc,  // pc of the first
    // pair, see instruction_pair
    input wire logic word_valid,  // the first is here
    input wire logic word_error,  // it came with a bus error
    input wire logic second_valid,  // the second is here, without a bus error
    input wire logic [3:0] first_cause,  // of the first: 0 or the lowest cause that needs no address
    input wire logic [2:0] first_unit,  // its unit
    input wire logic [3:0] first_select,  // the same, one bit a unit
    input wire logic first_addressed,  // it goes through the address check
    input wire logic first_load,  // S_LD_INT
    input wire logic first_store,  // S_ST_INT
    input wire logic first_control,  // sets a register of program_registers
    input wire logic first_start,  // C_LOOP_START
    input wire logic first_end,  // C_LOOP_END
    input wire logic first_again,  // C_LOOP_END that jumps back
    input wire logic first_stops,  // C_BREAK
    input wire logic [3:0] second_cause,  // of the second: 0 or the lowest cause that needs no address
    input wire logic [2:0] second_unit,  // its unit
    input wire logic [3:0] second_select,  // the same, one bit a unit
    input wire logic second_addressed,  // it goes through the address check
    input wire logic second_load,  // S_LD_INT
    input wire logic second_store,  // S_ST_INT
    input wire logic second_start,  // C_LOOP_START
    input wire logic second_end,  // C_LOOP_END
    input wire logic second_again,  // C_LOOP_END that jumps back
    input wire logic second_stops,  // C_BREAK
    input wire logic needs_product,  // the second needs a product of the first
    input wire logic second_in_use,  // the address check is the second's
    input wire logic [3:0] unit_select,  // unit of the one that it checks
    // what may hold them up
    input wire logic [3:0] address_cause,  // 0 or the cause that the address check found
    input wire logic address_clear,  // it found none
    input wire logic [3:0] unit_free,  // the next slot of a unit is free
    input wire logic loaded,  // the word of S_LD_INT is here
    input wire logic int_busy,  // a V_TOPK has still to write INT_MEM
    input wire logic loops_empty,  // no loop is open
    input wire logic [31:0] loop_pc,  // first body instruction of the innermost loop
    // choice
    output logic first_retire,  // the first goes
    output logic second_retire,  // the second goes with it
    output logic [3:0] push,  // dispatch to a unit, one bit a unit
    output logic stop_now,  // dispatch ends at the first
    output logic [3:0] stop_now_cause,  // 0 or the trap cause
    output logic [31:0] next_pc,  // pc of the next cycle
    // counters
    output logic [11:0] retired,  // instructions that retire, 2 bits a unit in the order of the UNIT_ codes
    output logic [3:0] dispatch_state  // what dispatch does in this cycle
);
  // Dispatch of the first: the first reason that holds decides.
  logic at_end, blocked, base_bad, line_carry;
  logic [57:0] unused_line;
  assign {line_carry, unused_line} = {1'b0, base[63:6]} + 59'(pc[31:4]);
  assign base_bad = base[5:0] != 6'd0 || line_carry;  // misaligned, or the word lies past 2^64
  assign at_end = pc >= length;
  assign blocked = (first_select & ~unit_free) != 4'd0 || (first_load && !loaded) ||
      (first_store && int_busy);
  logic [3:0] operand_cause;
  assign operand_cause = first_cause != plena_pkg::CAUSE_NONE || !first_addressed ? first_cause : address_cause;
  assign first_retire = dispatching && !fault_any && !watchdog_hit && !at_end && !base_bad && word_valid &&
      !word_error && first_cause == plena_pkg::CAUSE_NONE && (!first_addressed || address_clear) && !blocked;
  always_comb begin
    stop_now = 1'b0;
    stop_now_cause = plena_pkg::CAUSE_NONE;
    if (dispatching) begin
      if (fault_any) begin
        stop_now = 1'b1;
        stop_now_cause = plena_pkg::CAUSE_HBM_ERROR;
      end else if (watchdog_hit) begin
        stop_now = 1'b1;
        stop_now_cause = plena_pkg::CAUSE_WATCHDOG;
      end else if (at_end) begin
        stop_now = 1'b1;
        if (!loops_empty) stop_now_cause = plena_pkg::CAUSE_LOOP_MISMATCH;
      end else if (base_bad || (word_valid && word_error)) begin
        stop_now = 1'b1;
        stop_now_cause = plena_pkg::CAUSE_FETCH_ERROR;
      end else if (word_valid) begin
        if (operand_cause != plena_pkg::CAUSE_NONE) begin
          stop_now = 1'b1;
          stop_now_cause = operand_cause;
        end else stop_now = first_stops && !blocked;
      end
    end
  end

  // The second goes with the first if nothing speaks against it. It stops nothing: whatever is wrong with it comes up
  // when it is the first.
  logic behind, paired, depends;
  assign behind = DISPATCH_WIDTH == 2 && second_valid && pc + 32'd1 < length && !first_stops && !first_again &&
      !first_load;
  assign depends = (first_start || first_end) && (second_start || second_end) ||
      first_control && second_addressed ||
      needs_product;
  assign paired = behind && !depends && !(first_addressed && second_addressed) && !second_stops && !second_load &&
      second_cause == plena_pkg::CAUSE_NONE && (second_select & ~unit_free) == 4'd0 &&
      !(second_store && int_busy) &&
      (!second_addressed || address_clear);
  assign second_retire = first_retire && paired;

  assign push = (second_in_use ? second_retire : first_retire) ? unit_select : 4'd0;

  always_comb begin
    if (go) next_pc = start ? 32'd0 : resume_pc;
    else if (!first_retire || first_stops) next_pc = pc;
    else if (first_again || (second_retire && second_again)) next_pc = loop_pc;
    else if (second_retire) next_pc = pc + 32'd2;
    else next_pc = pc + 32'd1;
  end

  // For the counters
  assign retired = (first_retire ? 12'd1 << {first_unit, 1'b0} : 12'd0) +
      (second_retire ? 12'd1 << {second_unit, 1'b0} : 12'd0);
  always_comb begin
    if ((running && !dispatching) || (stop_now && !first_retire))
      dispatch_state = plena_pkg::DISPATCH_DRAIN;
    else if (second_retire) dispatch_state = plena_pkg::DISPATCH_TWO;
    else if (first_retire) dispatch_state = plena_pkg::DISPATCH_ONE;
    else if (!word_valid) dispatch_state = plena_pkg::DISPATCH_FETCH;
    else if (first_select[0]) dispatch_state = plena_pkg::DISPATCH_MATRIX_FULL;
    else if (first_select[1]) dispatch_state = plena_pkg::DISPATCH_VECTOR_FULL;
    else if (first_select[2]) dispatch_state = plena_pkg::DISPATCH_FLOAT_FULL;
    else if (first_select[3]) dispatch_state = plena_pkg::DISPATCH_HBM_FULL;
    else dispatch_state = plena_pkg::DISPATCH_INT_MEM;
  end
endmodule

`default_nettype wire
