// Performance counters: what dispatch and the head of each queue do in every cycle of a program, and sums of work.
// Timing: an event is counted two cycles after its cycle; a read answers at once.
// Specified in docs/counters.md; addresses in docs/registers.md.
`timescale 1ns / 1ps
`default_nettype none

module perf_counters (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    input wire logic init,  // start of a program: every counter becomes 0
    input wire logic running,  // count this cycle
    // Dispatch
    input wire logic [3:0] dispatch_state,  // what it does: a DISPATCH_ code
    input wire logic [11:0] retired,  // instructions that retire, 2 bits a unit in the order of the UNIT_ codes
    // Queues, one bit a unit: {HBM, float, vector, matrix}
    input wire logic [3:0] head_valid,  // an instruction waits
    input wire logic [3:0] head_issues,  // it issues or gets on
    input wire logic [3:0] head_waits,  // it waits for other instructions
    input wire logic [3:0] head_refused,  // it asks for a memory port and does not get it
    input wire logic head_bus,  // the HBM unit waits for the bus
    input wire logic [19:0] hazards,  // what the heads wait for, 5 bits a unit: {order, FP_MEM, tile, row, f}
    // Work
    input wire logic [3:0] busy,  // a unit works, one bit a unit
    input wire logic [31:0] macs,  // useful multiply-accumulates that begin
    input wire logic vector_row,  // the vector unit takes a row
    input wire logic read_beat,  // a data beat comes from HBM
    input wire logic write_beat,  // a beat goes to HBM
    input wire logic fetch_line,  // an instruction line comes from HBM
    input wire logic [2:0] write_refused,  // VRAM withholds a write: {HBM, vector, matrix}
    // Reads
    input wire logic counter_read,  // look at counter_address
    input wire logic [11:0] counter_address,  // byte offset of a control register
    output logic counter_hit,  // there is a counter
    output logic [31:0] counter_word  // half of it, the low word first
);
  localparam int UNITS = 4;
  localparam int STATES = plena_pkg::QUEUE_STATES;
  localparam int TOTALS = plena_pkg::TOTALS;

  // One state a queue and cycle; of several reasons the first decides.
  function automatic logic [3:0] queue_state(input logic valid, input logic issues,
                                             input logic waits, input logic refused,
                                             input logic bus, input logic [4:0] hazard);
    if (!valid) queue_state = plena_pkg::QUEUE_EMPTY;
    else if (issues) queue_state = plena_pkg::QUEUE_ISSUE;
    else if (waits && hazard[0]) queue_state = plena_pkg::QUEUE_F;
    else if (waits && hazard[1]) queue_state = plena_pkg::QUEUE_ROW;
    else if (waits && hazard[2]) queue_state = plena_pkg::QUEUE_TILE;
    else if (waits && hazard[3]) queue_state = plena_pkg::QUEUE_FP_MEM;
    else if (waits && hazard[4]) queue_state = plena_pkg::QUEUE_ORDER;
    else if (refused) queue_state = plena_pkg::QUEUE_BANK;
    else if (bus) queue_state = plena_pkg::QUEUE_BUS;
    else queue_state = plena_pkg::QUEUE_BUSY;
  endfunction

  // Events of a cycle, registered.
  logic running_q;
  logic [3:0] dispatch_q;
  logic [4*UNITS-1:0] state_q;
  logic [11:0] retired_q;
  logic [3:0] busy_q;
  logic [31:0] macs_q;
  logic [6:0] events_q;

  always_ff @(posedge clk) begin
    running_q <= running && !rst;
    if (running) begin
      dispatch_q <= dispatch_state;
      for (int u = 0; u < UNITS; u++)
      state_q[u*4+:4] <= queue_state(
          head_valid[u],
          head_issues[u],
          head_waits[u],
          head_refused[u],
          u == 3 && head_bus,
          hazards[u*5+:5]
      );
      retired_q <= retired;
      busy_q <= busy;
      macs_q <= macs;
      events_q <= {write_refused, fetch_line, write_beat, read_beat, vector_row};
    end
  end

  logic [63:0] dispatch_count[0:plena_pkg::DISPATCH_STATES-1];
  logic [63:0] matrix_count  [                    0:STATES-1];
  logic [63:0] vector_count  [                    0:STATES-1];
  logic [63:0] float_count   [                    0:STATES-1];
  logic [63:0] hbm_count     [                    0:STATES-1];
  logic [63:0] total         [                    0:TOTALS-1];

  always_ff @(posedge clk) begin
    if (running_q) begin
      dispatch_count[dispatch_q]  <= dispatch_count[dispatch_q] + 64'd1;
      matrix_count[state_q[0+:4]] <= matrix_count[state_q[0+:4]] + 64'd1;
      vector_count[state_q[4+:4]] <= vector_count[state_q[4+:4]] + 64'd1;
      float_count[state_q[8+:4]]  <= float_count[state_q[8+:4]] + 64'd1;
      hbm_count[state_q[12+:4]]   <= hbm_count[state_q[12+:4]] + 64'd1;
      for (int u = 0; u < 6; u++)
      if (retired_q[u*2+:2] != 2'd0) total[u] <= total[u] + 64'(retired_q[u*2+:2]);
      for (int u = 0; u < UNITS; u++)
      if (busy_q[u])
        total[plena_pkg::TOTAL_MATRIX_BUSY+u] <= total[plena_pkg::TOTAL_MATRIX_BUSY+u] + 64'd1;
      if (macs_q != '0) total[plena_pkg::TOTAL_MACS] <= total[plena_pkg::TOTAL_MACS] + 64'(macs_q);
      for (int e = 0; e < 7; e++)
      if (events_q[e])
        total[plena_pkg::TOTAL_VECTOR_ROWS+e] <= total[plena_pkg::TOTAL_VECTOR_ROWS+e] + 64'd1;
    end
    if (init) begin
      for (int i = 0; i < plena_pkg::DISPATCH_STATES; i++) dispatch_count[i] <= '0;
      for (int i = 0; i < STATES; i++) begin
        matrix_count[i] <= '0;
        vector_count[i] <= '0;
        float_count[i] <= '0;
        hbm_count[i] <= '0;
      end
      for (int i = 0; i < TOTALS; i++) total[i] <= '0;
    end
  end

  // Reads: a group has 16 places, the sums have 32.
  logic [ 4:0] number;
  logic [63:0] count;
  assign number = counter_address[7:3];
  always_comb begin
    count = '0;
    counter_hit = 1'b0;
    if (counter_read) begin
      if (counter_address[11:8] == plena_pkg::CSR_TOTALS_LO[11:8]) begin
        counter_hit = number < 5'(TOTALS);
        if (number < 5'(TOTALS)) count = total[number];
      end else if (counter_address[11:7] == plena_pkg::CSR_DISPATCH_LO[11:7]) begin
        counter_hit = number[3:0] < 4'(plena_pkg::DISPATCH_STATES);
        if (number[3:0] < 4'(plena_pkg::DISPATCH_STATES)) count = dispatch_count[number[3:0]];
      end else if (number[3:0] < 4'(STATES)) begin
        counter_hit = 1'b1;
        case (counter_address[11:7])
          plena_pkg::CSR_MATRIX_LO[11:7]: count = matrix_count[number[3:0]];
          plena_pkg::CSR_VECTOR_LO[11:7]: count = vector_count[number[3:0]];
          plena_pkg::CSR_FLOAT_LO[11:7]: count = float_count[number[3:0]];
          plena_pkg::CSR_HBM_LO[11:7]: count = hbm_count[number[3:0]];
          default: counter_hit = 1'b0;
        endcase
      end
    end
  end
  assign counter_word = counter_address[2] ? count[63:32] : count[31:0];

  logic unused;
  assign unused = |counter_address[1:0];

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(counters_dispatch, running, dispatch_state < 4'(plena_pkg::DISPATCH_STATES),
                     "dispatch is in a state that has no counter")
  `PLENA_ASSERT_WHEN(counters_still, init, !running, "counters are cleared while a program runs")
endmodule

`default_nettype wire
