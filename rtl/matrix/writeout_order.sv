// Order of write-outs: those that issued, with the passes in front of them, until their turn and then until they are done.
// Timing: outputs follow registered state; a write-out that issues may take its turn in the next cycle.
// Specified in docs/microarchitecture.md, "Matrix unit".
`timescale 1ns / 1ps
`default_nettype none

module writeout_order #(
    parameter int Q   = 32,  // slots of the matrix queue; a power of two
    parameter int TAG = 4    // bits of a pass's number
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    input wire logic pass,  // a pass begins to fetch: it takes the next number
    // a write-out issues
    input wire logic issue,  // now
    input wire logic [$clog2(Q)-1:0] issue_slot,  // its slot
    input wire logic [2:0] issue_kind,  // {its sums are +0, per-head, one row}
    // the oldest that waits for its turn
    output logic pending,  // there is one
    output logic [TAG-1:0] turn_tag,  // number of the pass behind it
    output logic [2:0] turn_kind,  // like issue_kind
    input wire logic turn,  // its turn
    // the oldest that is not done
    output logic turned,  // its turn is over: it may write
    output logic [$clog2(Q)-1:0] write_slot,  // its slot
    output logic [2:0] write_kind,  // like issue_kind
    input wire logic done  // its last row is taken
);
  localparam int QW = $clog2(Q);

  // Passes are numbered as they begin to fetch, and a write-out remembers the number of the next one.
  logic [TAG-1:0] next_pass_q;
  logic [TAG-1:0] tags[0:Q-1];
  logic [QW-1:0] slots[0:Q-1];
  logic [2:0] kinds[0:Q-1];
  logic [QW-1:0] tail_q;  // next free entry
  logic [QW-1:0] turn_q;  // oldest that waits for its turn
  logic [QW-1:0] write_q;  // oldest that is not done
  logic [QW:0] pending_q;  // issued, waiting for their turn
  logic [QW:0] turned_q;  // behind their turn, not done
  assign pending = pending_q != '0;
  assign turned = turned_q != '0;
  assign turn_tag = tags[turn_q];
  assign turn_kind = kinds[turn_q];
  assign write_slot = slots[write_q];
  assign write_kind = kinds[write_q];

  always_ff @(posedge clk) begin
    if (rst) begin
      next_pass_q <= '0;
      tail_q <= '0;
      turn_q <= '0;
      write_q <= '0;
      pending_q <= '0;
      turned_q <= '0;
    end else begin
      if (pass) next_pass_q <= next_pass_q + 1'b1;
      if (issue) tail_q <= tail_q + 1'b1;
      if (turn) turn_q <= turn_q + 1'b1;
      if (done) write_q <= write_q + 1'b1;
      if (issue != turn) pending_q <= issue ? pending_q + 1'b1 : pending_q - 1'b1;
      if (turn != done) turned_q <= turn ? turned_q + 1'b1 : turned_q - 1'b1;
    end
    if (issue) begin
      tags[tail_q]  <= next_pass_q;
      slots[tail_q] <= issue_slot;
      kinds[tail_q] <= issue_kind;
    end
  end

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(writeout_turn_waits, turn, pending,
                     "a write-out takes its turn that does not wait for it")
  `PLENA_ASSERT_WHEN(writeout_done_turned, done, turned, "a write-out is done before its turn")
  `PLENA_ASSERT_WHEN(writeout_places, issue, int'(pending_q) + int'(turned_q) - int'(done) < Q,
                     "more write-outs are on their way than slots")
endmodule

`default_nettype wire
