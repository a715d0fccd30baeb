// id_groups: four groups of AXI IDs, so that answers to an aborted program are told from those to the next one.
// A step counts at its clock edge; an abort that leaves answers to come costs two cycles until the next group is ready.
// Specified in docs/isa.md, "Programs and their control", and docs/microarchitecture.md, "HBM unit".
`timescale 1ns / 1ps
`default_nettype none

module id_groups #(
    parameter int READS  = 255,  // read bursts of a group that may be unanswered
    parameter int WRITES = 63    // write bursts of a group that may be unanswered
) (
    input  wire logic       clk,          // clock
    input  wire logic       rst,          // synchronous reset: forgets every burst
    input  wire logic       abort,        // what is unanswered is late from now on
    input  wire logic       read_step,    // a read burst of the present group is asked for
    input  wire logic       read_end,     // the last beat of a read burst comes
    input  wire logic [1:0] read_group,   // its group
    input  wire logic       write_step,   // a write burst of the present group is asked for
    input  wire logic       write_end,    // a write response comes
    input  wire logic [1:0] write_group,  // its group
    output logic      [1:0] group,        // the present group
    output logic            ready,        // it has no late answers to come
    output logic            late_reads,   // reads from before an abort are unanswered
    output logic            late_writes   // writes from before an abort are unanswered
);
  localparam int RW = $clog2(READS + 1);
  localparam int WW = $clog2(WRITES + 1);

  logic [RW-1:0] reads_q [0:3];  // unanswered bursts of each group
  logic [WW-1:0] writes_q[0:3];
  logic [3:0] reading, writing, old, clean;
  always_comb
    for (int g = 0; g < 4; g++) begin
      reading[g] = reads_q[g] != '0;
      writing[g] = writes_q[g] != '0;
    end
  assign clean = ~(reading | writing);
  assign old = ~({3'd0, ready} << group);
  assign late_reads = (reading & old) != 4'd0;
  assign late_writes = (writing & old) != 4'd0;

  always_ff @(posedge clk) begin
    if (read_step || read_end || write_step || write_end)
      for (int g = 0; g < 4; g++) begin
        reads_q[g] <= reads_q[g] + RW'(read_step && group == 2'(g)) - RW'(read_end && read_group == 2'(g));
        writes_q[g] <= writes_q[g] + WW'(write_step && group == 2'(g)) - WW'(write_end && write_group == 2'(g));
      end
    if (abort) ready <= 1'b0;
    else if (!ready && clean != 4'd0) begin
      ready <= 1'b1;
      group <= clean[0] ? 2'd0 : clean[1] ? 2'd1 : clean[2] ? 2'd2 : 2'd3;
    end
    if (rst) begin
      ready <= 1'b1;
      group <= 2'd0;
      for (int g = 0; g < 4; g++) begin
        reads_q[g]  <= '0;
        writes_q[g] <= '0;
      end
    end
  end

  `PLENA_ASSERT_RESET(rst)

  always @(posedge clk)
    if ((read_step || read_end || write_step || write_end) !== 1'b0) begin
      `PLENA_ASSERT_HERE(groups_read_asked, !read_end || reads_q[read_group] != '0,
                         "a read burst ends that nobody asked for")
      `PLENA_ASSERT_HERE(groups_write_asked, !write_end || writes_q[write_group] != '0,
                         "a write response comes that nobody waits for")
      `PLENA_ASSERT_HERE(groups_reads_most, !read_step || reads_q[group] != RW'(READS),
                         "more read bursts are unanswered than can be counted")
      `PLENA_ASSERT_HERE(groups_writes_most, !write_step || writes_q[group] != WW'(WRITES),
                         "more write bursts are unanswered than can be counted")
      `PLENA_ASSERT_HERE(groups_ready, !(read_step || write_step) || ready,
                         "a burst begins in a group with late answers")
    end
endmodule

`default_nettype wire
