// Writes what the core does in each cycle of a job to its file activity.out: six words a cycle, and as many for the cycle
// after the last, since the states of the heads come a cycle late. A cycle is written at its end.
// It reads the core's signals by their names. Specified in docs/bench.md, "Files of a job".
`timescale 1ns / 1ps
`default_nettype none

module activity_file ();
  bit ran = 1'b0;  // a program ran in the cycle before

  job_file u_file ();

  always @(posedge plena_tb.clk) begin
    if (u_file.file != 0 && (plena_tb.u_core.running || ran))
      $fwrite(
          u_file.file,
          "%u",
          {
            96'(plena_tb.u_core.slot_done),
            plena_tb.u_core.macs,
            8'(plena_tb.u_core.head_h),
            8'(plena_tb.u_core.head_f),
            8'(plena_tb.u_core.head_v),
            8'(plena_tb.u_core.head_m),
            10'($bits(plena_tb.u_core.slot_done)),
            plena_tb.u_core.write_beat,
            plena_tb.u_core.read_beat,
            plena_tb.u_core.dispatch_state,
            plena_tb.u_core.u_counters.state_q
          }
      );
    ran <= plena_tb.u_core.running;
  end
endmodule
`default_nettype wire
