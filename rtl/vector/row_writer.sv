// Row writer of the vector unit: offers each result row to the VRAM write port, and queues those that the port refuses.
// Timing: a row that is taken at once costs nothing; queued rows go first, one a cycle.
// Specified in docs/microarchitecture.md, "Vector unit".
`timescale 1ns / 1ps
`default_nettype none

module row_writer #(
    parameter int MLEN = 64,  // elements of a row
    parameter int VRW = 14,  // bits of a VRAM row number
    parameter int Q    = 8    // places; a slot is held until its row is written, so as many as there are slots do
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    // results
    input wire logic in_valid,  // a row comes
    input wire logic [VRW-1:0] in_row,  // its row number
    input wire logic [MLEN*16-1:0] in_data,  // its elements
    input wire logic [$clog2(Q)-1:0] in_slot,  // slot of its instruction
    output logic written,  // a row is taken
    output logic [$clog2(Q)-1:0] written_slot,  // its slot
    // rows that wait
    input wire logic [VRW-1:0] ask_a,  // is this row waiting?
    input wire logic [VRW-1:0] ask_b,  // and this one?
    output logic waits_a,  // the first is
    output logic waits_b,  // the second is
    // VRAM write port
    output logic wr_req,  // request
    output logic [VRW-1:0] wr_row,  // row
    output logic [MLEN*16-1:0] wr_data,  // data
    input wire logic wr_gnt  // taken
);
  localparam int QW = $clog2(Q);

  logic [MLEN*16-1:0] data[Q];
  logic [VRW-1:0] rows[Q];
  logic [QW-1:0] slots[Q];
  logic [QW-1:0] in_q, out_q;
  logic [Q-1:0] full_q;  // places in use
  logic empty, store, take;

  assign empty = full_q == '0;
  assign wr_req = in_valid || !empty;
  assign wr_row = empty ? in_row : rows[out_q];
  assign wr_data = empty ? in_data : data[out_q];
  assign written = wr_req && wr_gnt;
  assign written_slot = empty ? in_slot : slots[out_q];
  assign store = in_valid && !(empty && wr_gnt);
  assign take = written && !empty;

  always_ff @(posedge clk) begin
    if (store) begin
      data[in_q]  <= in_data;
      rows[in_q]  <= in_row;
      slots[in_q] <= in_slot;
    end
    if (rst) begin
      in_q   <= '0;
      out_q  <= '0;
      full_q <= '0;
    end else begin
      if (take) begin
        out_q <= out_q + 1'b1;
        full_q[out_q] <= 1'b0;
      end
      if (store) begin
        in_q <= in_q + 1'b1;
        full_q[in_q] <= 1'b1;
      end
    end
  end

  always_comb begin
    waits_a = 1'b0;
    waits_b = 1'b0;
    if (!empty)
      for (int i = 0; i < Q; i++) begin
        if (full_q[i] && rows[i] == ask_a) waits_a = 1'b1;
        if (full_q[i] && rows[i] == ask_b) waits_b = 1'b1;
      end
  end

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(row_writer_full, store, !full_q[in_q], "more rows wait than there are slots")
endmodule

`default_nettype wire
