// Arbiter of one memory bank and direction: fixed priority, lowest port first, until a port has lost 8 rounds.
// Timing: grants are combinational in the requests; losses are counted at the clock edge and forgotten at a grant or a pause.
// Specified in docs/microarchitecture.md, "Memories".
`timescale 1ns / 1ps
`default_nettype none

module bank_arbiter #(
    parameter int N = 4  // ports
) (
    input  wire logic         clk,  // clock
    input  wire logic         rst,  // synchronous reset
    input  wire logic [N-1:0] req,  // requests to this bank
    output logic      [N-1:0] gnt   // at most one bit, a subset of req, never 0 while req is not
);
  localparam int CW = 4;  // losses run from 0 to 8; bit 3 says that a port has waited long enough

  initial if (N < 1) $fatal(1, "bank_arbiter: N=%0d must be positive", N);

  logic [N*CW-1:0] losses_q;
  logic [N-1:0] starved;
  logic [N-1:0] pool;

  always_comb for (int i = 0; i < N; i++) starved[i] = req[i] & losses_q[i*CW+CW-1];
  assign pool = (starved != '0) ? starved : req;
  assign gnt  = pool & (~pool + 1'b1);

  `PLENA_ASSERT_RESET(rst)

  // Not always_ff, in which Icarus warns of the assertion.
  always @(posedge clk) begin
    if (rst) losses_q <= '0;
    else if (req !== '0 || losses_q !== '0 || `PLENA_ASSERT_ALSO(gnt !== '0)) begin
      `PLENA_ASSERT_HERE(arbiter_grants,
                         (req | gnt) == '0 || (gnt != '0 && (gnt & ((gnt - 1'b1) | ~req)) == '0),
                         "not exactly one of the ports that ask is granted")
      for (int i = 0; i < N; i++) begin
        if (!req[i] || gnt[i]) losses_q[i*CW+:CW] <= '0;
        else if (!losses_q[i*CW+CW-1]) losses_q[i*CW+:CW] <= losses_q[i*CW+:CW] + 1'b1;
      end
    end
  end
endmodule

`default_nettype wire
