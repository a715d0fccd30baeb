// Loop stack: the open hardware loops, innermost on top, each with its counter register and the pc behind its start.
// Timing: the top is combinational; push and pop take effect at the clock edge.
// Specified in docs/isa.md, C_LOOP_START and C_LOOP_END.
`timescale 1ns / 1ps
`default_nettype none

module loop_stack #(
    parameter int DEPTH = 8  // loops that may nest
) (
    input  wire logic        clk,       // clock
    input  wire logic        clear,     // close every loop (reset, start)
    input  wire logic        push,      // open a loop; never with a full stack
    input  wire logic [ 3:0] push_reg,  // its counter register
    input  wire logic [31:0] push_pc,   // pc of its first body instruction
    input  wire logic        pop,       // close the innermost loop; never with an empty stack
    output logic             empty,     // no loop is open
    output logic             full,      // DEPTH loops are open
    output logic      [ 3:0] top_reg,   // counter register of the innermost loop
    output logic      [31:0] top_pc     // first body instruction of the innermost loop
);
  localparam int DW = $clog2(DEPTH + 1);
  localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1;

  initial if (DEPTH < 1) $fatal(1, "loop_stack: DEPTH=%0d must be positive", DEPTH);

  logic [  35:0] entries [0:DEPTH-1];
  logic [DW-1:0] depth_q;
  logic [DW-1:0] below;
  logic [  35:0] top;
  assign below = depth_q - 1'b1;
  assign top = entries[below[AW-1:0]];
  assign empty = depth_q == '0;
  assign full = depth_q == DW'(DEPTH);
  assign top_reg = top[35:32];
  assign top_pc = top[31:0];

  always_ff @(posedge clk) begin
    if (push) entries[depth_q[AW-1:0]] <= {push_reg, push_pc};
    if (clear) depth_q <= '0;
    else if (push) depth_q <= depth_q + 1'b1;
    else if (pop) depth_q <= below;
  end

  `PLENA_ASSERT_RESET(clear)
  `PLENA_ASSERT_WHEN(loop_push_full, push, !full, "a loop is opened on a full stack")
  `PLENA_ASSERT_WHEN(loop_pop_empty, pop, !empty, "a loop is closed on an empty stack")
  `PLENA_ASSERT_WHEN(loop_push_pop, push, !pop, "a loop is opened and one closed in the same cycle")
endmodule

`default_nettype wire
