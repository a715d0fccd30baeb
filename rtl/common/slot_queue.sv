// Slot queue of a unit: instructions in circular slots, and which of them have still to issue; the unit chooses the order.
// Timing: a push is seen in the next cycle; reads are combinational. A slot keeps its instruction until it is taken again.
// Specified in docs/microarchitecture.md, "Life of an instruction: slots".
`timescale 1ns / 1ps
`default_nettype none

module slot_queue #(
    parameter int Q = 8,  // slots; a power of two
    parameter int W = 8,  // bits of an instruction
    parameter int R = 1   // instructions that are read at once
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset: slot numbers start at 0
    input wire logic flush,  // drop what has not issued; slot numbers go on
    input wire logic push,  // an instruction takes the slot `tail`
    input wire logic [W-1:0] push_data,  // the instruction
    input wire logic [Q-1:0] issue,  // slots that issue
    output logic [Q-1:0] waiting,  // slots that have not issued
    output logic [$clog2(Q)-1:0] tail,  // slot of the next push
    input wire logic [R*$clog2(Q)-1:0] rd_slot,  // slots to read
    output logic [R*W-1:0] rd_data  // their instructions
);
  localparam int QW = $clog2(Q);

  initial
    if (Q < 2 || (Q & (Q - 1)) != 0)
      $fatal(1, "slot_queue: Q=%0d must be a power of two of at least 2", Q);

  logic [W-1:0] slots[0:Q-1];
  logic [Q-1:0] waiting_q;
  logic [QW-1:0] tail_q;
  assign waiting = waiting_q;
  assign tail = tail_q;
  for (genvar r = 0; r < R; r++) begin : g_read
    assign rd_data[r*W+:W] = slots[rd_slot[r*QW+:QW]];
  end

  always_ff @(posedge clk) begin
    if (push) slots[tail_q] <= push_data;
    if (rst) begin
      waiting_q <= '0;
      tail_q <= '0;
    end else begin
      if (push) tail_q <= tail_q + 1'b1;
      if (flush) waiting_q <= '0;
      else waiting_q <= (waiting_q & ~issue) | (push ? {{(Q - 1) {1'b0}}, 1'b1} << tail_q : '0);
    end
  end

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(slot_queue_full, push, !waiting_q[tail_q],
                     "an instruction enters a slot that waits")
  `PLENA_ASSERT_WHEN(slot_queue_issue, issue != '0, (issue & ~waiting_q) == '0,
                     "an instruction issues that does not wait")
endmodule

`default_nettype wire
