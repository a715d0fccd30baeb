// Waiters: which slots wait for the slots of one unit, one word for each slot waited for.
// Timing: a wait is set at the edge of the push and cleared at the edge of the pulse it waits for; outputs follow registered state.
// Specified in docs/microarchitecture.md, "Life of an instruction: slots".
`timescale 1ns / 1ps
`default_nettype none

module waiters #(
    parameter int N  = 8,  // slots of the unit
    parameter int NS = 52  // slots of all units
) (
    input wire logic clk,  // clock
    input wire logic flush,  // nothing waits any more
    input wire logic [N-1:0] read_now,  // a slot has read its sources (or is done)
    input wire logic [N-1:0] done,  // a slot is done
    input wire logic [NS-1:0] taken,  // the slot of the new instruction, one bit; it waits for nothing yet
    input wire logic [N-1:0] new_read,  // it waits until these have read their sources
    input wire logic [N-1:0] new_done,  // it waits until these are done
    input wire logic [N-1:0] read_other,  // a wait for reading is of the other kind
    input wire logic [N-1:0] done_other,  // a wait for done is of the other kind
    input wire logic [N-1:0] dead,  // slots that a bus error killed
    output logic [NS-1:0] waits,  // slots that wait for one of these
    output logic [NS-1:0] waits_other,  // the same, of the other kind
    output logic [NS-1:0] waits_dead  // slots that wait for a dead one
);
  logic [NS-1:0] until_read_q[0:N-1];
  logic [NS-1:0] until_done_q[0:N-1];
  logic [ N-1:0] changes;
  assign changes = read_now | new_read | new_done | {N{flush}};

  // A loop that stays one: Verilator then keeps a list of the few words that change.
  always_ff @(posedge clk)
    if (changes != '0) begin
      // verilator unroll_disable
      for (int k = 0; k < N; k++)
      if (changes[k]) begin
        if (flush || read_now[k]) until_read_q[k] <= '0;
        else if (new_read[k]) until_read_q[k] <= until_read_q[k] | taken;
        if (flush || done[k]) until_done_q[k] <= '0;
        else if (new_done[k]) until_done_q[k] <= until_done_q[k] | taken;
      end
    end

  always_comb begin : collect
    logic [NS-1:0] kind, other;
    kind  = '0;
    other = '0;
    if ((read_other | done_other) == '0)
      for (int k = 0; k < N; k++) kind = kind | until_read_q[k] | until_done_q[k];
    else
      for (int k = 0; k < N; k++) begin
        if (read_other[k]) other = other | until_read_q[k];
        else kind = kind | until_read_q[k];
        if (done_other[k]) other = other | until_done_q[k];
        else kind = kind | until_done_q[k];
      end
    waits = kind;
    waits_other = other;
  end
  always_comb begin : collect_dead
    logic [NS-1:0] found;
    found = '0;
    if (dead != '0)
      for (int k = 0; k < N; k++) if (dead[k]) found = found | until_read_q[k] | until_done_q[k];
    waits_dead = found;
  end
endmodule

`default_nettype wire
