// Dead slots: after a bus error, those that a failed transfer keeps from ever issuing, so that the drain can end.
// Timing: `dead` follows the waits by a cycle and grows until nothing changes; it is 0 while the HBM unit has something in flight.
// Specified in docs/microarchitecture.md, "Life of an instruction: slots".
`timescale 1ns / 1ps
`default_nettype none

module dead_slots #(
    parameter int NM = 32,  // matrix slots
    parameter int NV = 8,   // vector slots
    parameter int NF = 8,   // float slots
    parameter int NH = 4    // HBM slots
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    input wire logic flush,  // forget every slot (reset, start, resume)
    input wire logic fault_any,  // a bus error was met
    input wire logic hbm_idle,  // nothing is in flight in the HBM unit
    input wire logic [NM+NV+NF+NH-1:0] live,  // slots that are not done
    input wire logic [NM+NV+NF+NH-1:0] waits_dead,  // slots that wait for a dead one
    input wire logic [$clog2(NM)-1:0] oldest_m,  // where the matrix slots begin by age
    input wire logic [$clog2(NV)-1:0] oldest_v,  // the same of the vector unit
    input wire logic [$clog2(NF)-1:0] oldest_f,  // the same of the float unit
    output logic [NM+NV+NF+NH-1:0] dead,  // slots that will never issue
    output logic all_dead  // every live slot is dead
);
  localparam int NS = NM + NV + NF + NH;
  localparam int V0 = NM;
  localparam int F0 = NM + NV;
  localparam int WM = $clog2(NM);
  localparam int WV = $clog2(NV);
  localparam int WF = $clog2(NF);
  localparam int FLOAT_WINDOW = 4;

  // A bus error kills its slot and whatever waits for it. Behind a dead slot of an in-order unit nothing issues, nor
  // behind as many dead float slots as the window holds: those are dead too. `_age` vectors begin with the oldest slot
  // of the unit. It begins when the HBM unit is idle: an HBM slot that is live then stays.
  logic [NS-1:0] dead_q, dead_next;
  logic [NM-1:0] m_dead_age, m_held_age, m_held;
  logic [NV-1:0] v_dead_age, v_held_age, v_held;
  logic [NF-1:0] f_dead_age, f_held_age, f_held;
  assign dead = dead_q;
  assign all_dead = (live & ~dead_q) == '0;
  assign m_dead_age = NM'({dead_q[0+:NM], dead_q[0+:NM]} >> oldest_m);
  assign v_dead_age = NV'({dead_q[V0+:NV], dead_q[V0+:NV]} >> oldest_v);
  assign f_dead_age = NF'({dead_q[F0+:NF], dead_q[F0+:NF]} >> oldest_f);
  // x | -x: the lowest bit that is set and all above it.
  assign m_held_age = m_dead_age | (~m_dead_age + 1'b1);
  assign v_held_age = v_dead_age | (~v_dead_age + 1'b1);
  always_comb begin : float_window
    logic [FLOAT_WINDOW-1:0] passed;  // bit n: more than n dead slots were passed
    passed = '0;
    for (int k = 0; k < NF; k++) begin
      f_held_age[k] = passed[FLOAT_WINDOW-1];
      if (f_dead_age[k]) passed = {passed[FLOAT_WINDOW-2:0], 1'b1};
    end
  end
  assign m_held = NM'({m_held_age, m_held_age} >> (WM + 1)'(NM - int'(oldest_m)));
  assign v_held = NV'({v_held_age, v_held_age} >> (WV + 1)'(NV - int'(oldest_v)));
  assign f_held = NF'({f_held_age, f_held_age} >> (WF + 1)'(NF - int'(oldest_f)));
  assign dead_next = fault_any ? live & (waits_dead | {{NH{1'b1}}, f_held, v_held, m_held}) : '0;
  always_ff @(posedge clk)
    if (rst) dead_q <= '0;
    else if (fault_any || dead_q != '0) dead_q <= (flush || !hbm_idle) ? '0 : dead_next;
endmodule

`default_nettype wire
