// What a job did, counted from outside the core: a second opinion on its counters. Data beats on the bus, and while a
// program runs instruction lines, writes that VRAM withholds, and cycles in which a burst of data is unanswered.
// Counts at each rising edge since the job began, or since its reset: before that a bus may hold anything.
// It reads the bench's and the core's signals by their names. Specified in docs/bench.md, "Files of a job".
`timescale 1ns / 1ps
`default_nettype none

module outside_counts ();
  longint read_beats, write_beats, fetch_lines, open_cycles;
  longint withheld[0:2];
  int open;  // bursts of data without an answer

  task automatic clear;
    {read_beats, write_beats, fetch_lines, open_cycles} = '0;
    for (int k = 0; k < 3; k++) withheld[k] = 0;
  endtask

  task automatic write(input int file);
    $fwrite(file, "%h\n%h\n%h\n%h\n", read_beats, write_beats, fetch_lines, open_cycles);
    $fwrite(file, "%h\n%h\n%h\n", withheld[0], withheld[1], withheld[2]);
  endtask

  wire line = plena_tb.m_rid[1:0] == 2'd0;
  wire read = plena_tb.m_rvalid && plena_tb.m_rready;
  wire asked = plena_tb.m_arvalid && plena_tb.m_arready && plena_tb.m_arid[1:0] != 2'd0;
  wire asked_to_write = plena_tb.m_awvalid && plena_tb.m_awready;

  always @(posedge plena_tb.clk)
    if (plena_tb.rst) begin
      open = 0;
      clear();
    end else begin
      if (read && !line) read_beats = read_beats + 1;
      if (plena_tb.m_wvalid && plena_tb.m_wready) write_beats = write_beats + 1;
      if (plena_tb.u_core.running) begin
        if (read && line) fetch_lines = fetch_lines + 1;
        if (open != 0) open_cycles = open_cycles + 1;
        for (int k = 0; k < 3; k++)
        if (plena_tb.u_core.u_vram.wr_req[k] && !plena_tb.u_core.u_vram.wr_gnt[k])
          withheld[k] = withheld[k] + 1;
      end
      open = open + int'(asked) + int'(asked_to_write) - int'(read && plena_tb.m_rlast && !line) -
          int'(plena_tb.m_bvalid && plena_tb.m_bready);
    end
endmodule
`default_nettype wire
