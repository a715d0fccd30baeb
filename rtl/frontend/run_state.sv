// Run state: idle, running, draining; what ends a run and how it is reported; the cycle and instruction counts.
// Timing: a start is seen in the next cycle; `stop` is one cycle, in which the drain ends.
// Specified in docs/microarchitecture.md, "Frontend", and docs/isa.md, "Traps".
`timescale 1ns / 1ps
`default_nettype none

module run_state (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    input wire logic start,  // begin at pc 0 with reset registers; ignored while running
    input wire logic resume,  // go on; ignored while running
    input wire logic [63:0] watchdog,  // cycle limit, 0 = none
    input wire logic [31:0] drain_limit,  // cycles of a drain after the watchdog has expired
    input wire logic [1:0] retire,  // instructions that retire, the first one of a pair lowest
    input wire logic stop_now,  // dispatch ends here
    input wire logic [3:0] stop_now_cause,  // 0 or the trap cause
    input wire logic [31:0] pc,  // of the instruction that would be next
    input wire logic slots_idle,  // no slot is live
    input wire logic slots_dead,  // every live slot waits for a failed transfer
    input wire logic fault_any,  // a transfer met a bus error
    input wire logic [31:0] fault_pc,  // pc of the oldest such transfer
    output logic go,  // a run begins
    output logic init,  // reset architectural registers (reset, start)
    output logic flush,  // empty every queue (reset, start, resume)
    output logic running,  // between start and stop
    output logic dispatching,  // running, and not draining
    output logic watchdog_hit,  // the cycle limit is reached
    output logic stop,  // the drain is over, the report is valid
    output logic stop_undrained,  // the drain is given up: something that was issued has not completed
    output logic stop_fault,  // a transfer met a bus error
    output logic [3:0] stop_cause,  // 0 or the trap cause
    output logic [31:0] stop_pc,  // pc of the stop; before it, of the next instruction
    output logic [63:0] cycles,  // cycles since the start
    output logic [63:0] instructions  // instructions completed since the start
);
  localparam logic [1:0] IDLE = 2'd0;
  localparam logic [1:0] RUN = 2'd1;
  localparam logic [1:0] DRAIN = 2'd2;

  logic [ 1:0] state_q;
  logic [ 3:0] cause_q;
  logic [31:0] cause_pc_q;
  assign go = state_q == IDLE && (start || resume);
  assign init = rst || (state_q == IDLE && start);
  assign flush = rst || go;
  assign running = state_q != IDLE;
  assign dispatching = state_q == RUN;
  assign watchdog_hit = watchdog != 64'd0 && cycles >= watchdog;

  // Drain: all slots done, or all that are left wait for a failed transfer; once the watchdog has expired, for
  // drain_limit cycles at most.
  logic drained;
  logic [31:0] overtime_q;  // cycles of the drain since the watchdog expired
  assign drained = slots_idle || (fault_any && slots_dead);
  assign stop_undrained = !drained;
  assign stop_fault = fault_any;
  assign stop = state_q == DRAIN && (drained || (watchdog_hit && overtime_q >= drain_limit));
  assign stop_cause = watchdog_hit ? plena_pkg::CAUSE_WATCHDOG : fault_any ? plena_pkg::CAUSE_HBM_ERROR : cause_q;
  assign stop_pc = state_q == RUN ? pc : fault_any && !watchdog_hit ? fault_pc : cause_pc_q;

  always_ff @(posedge clk) begin
    if (running) cycles <= cycles + 64'd1;
    if (retire[0]) instructions <= instructions + (retire[1] ? 64'd2 : 64'd1);
    if (stop_now) begin
      cause_q <= stop_now_cause;
      cause_pc_q <= pc;
    end
    case (state_q)
      IDLE: if (go) state_q <= RUN;
      RUN: if (stop_now) state_q <= DRAIN;
      default: if (stop) state_q <= IDLE;
    endcase
    if (go) overtime_q <= '0;
    else if (state_q == DRAIN && watchdog_hit) overtime_q <= overtime_q + 32'd1;
    if (init) begin
      cycles <= '0;
      instructions <= '0;
    end
    if (rst) state_q <= IDLE;
  end

  `PLENA_ASSERT_RESET(rst)

  always @(posedge clk)
    if ((retire != 2'd0) !== 1'b0) begin
      `PLENA_ASSERT_HERE(run_retire_running, dispatching, "an instruction retires while none may")
      `PLENA_ASSERT_HERE(run_second_alone, retire[0],
                         "the second of a pair retires without the first")
    end
  `PLENA_ASSERT_WHEN(run_stop_running, stop_now, dispatching, "dispatch ends that has not begun")
endmodule

`default_nettype wire
