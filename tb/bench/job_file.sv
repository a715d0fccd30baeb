// A file that a job writes into its folder, open from its start to its end. No clock. Specified in docs/bench.md, "Files of
// a job".
`timescale 1ns / 1ps
`default_nettype none

module job_file ();
  int file = 0;  // 0 while no job writes it

  task automatic open(input int job, input string name);
    file = $fopen($sformatf("job%0d/%s", job, name), "wb");
  endtask

  task automatic close;
    $fclose(file);
    file = 0;
  endtask
endmodule
`default_nettype wire
