// Writes the retired instructions of a job to its file trace.out: word pc, word instruction, word cycle for each. An
// instruction is written in the cycle in which the core retires it. Specified in docs/bench.md, "Files of a job".
`timescale 1ns / 1ps
`default_nettype none

module trace_file (
    input wire        clk,    // clock of the core
    input wire [ 1:0] valid,  // instructions that retire in this cycle, the first in bit 0
    input wire [31:0] pc,     // program counter of the first; that of the second is one more
    input wire [63:0] instr,  // their words
    input wire [31:0] cycle   // cycle of the run
);
  job_file u_file ();

  always @(posedge clk) begin
    if (u_file.file != 0 && valid[0]) $fwrite(u_file.file, "%u", {cycle, instr[31:0], pc});
    if (u_file.file != 0 && valid[1]) $fwrite(u_file.file, "%u", {cycle, instr[63:32], pc + 32'd1});
  end
endmodule
`default_nettype wire
