// Operand pairs of the matrix unit: queues VRAM rows with tile vectors, and lays those of a per-head pass out over the mini-arrays.
// Timing: a pair asked for in cycle t may be loaded from t+2 on; one in and one out a cycle.
// Specified in docs/microarchitecture.md, "Matrix unit".
`timescale 1ns / 1ps
`default_nettype none

module operand_pairs #(
    parameter int MLEN  = 64,  // elements of a row
    parameter int BLEN  = 16,  // pairs of a pass, taps of a mini-array
    parameter int HLEN  = 64,  // taps of a head
    parameter int PAIRS = 4    // places; 3 hide the latency of a fetch
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    // fetch
    output logic free,  // a place is left for one more pair, those on their way counted
    input wire logic fetched,  // a pair is asked for: its data comes in the next cycle
    input wire logic fetched_single,  // of a pass with one row; then only its first pair has a row
    input wire logic fetched_head,  // of a per-head pass
    input wire logic fetched_fresh,  // of an instruction that starts from +0
    input wire logic fetched_contiguous,  // head b has elements b*HLEN + d of the row, not d*LANES + b
    input wire logic [$clog2(MLEN)-1:0] fetched_part,  // BLEN > HLEN: head within each mini-array
    input wire logic [$clog2(MLEN)-1:0] fetched_off,  // first tap of the tile vector
    input wire logic [MLEN*16-1:0] rd_data,  // VRAM row
    input wire logic [MLEN*16-1:0] ms_rd_data,  // row or column of the tile
    // array
    output logic any,  // a pair waits
    output logic single,  // of a pass with one row
    output logic head,  // of a per-head pass
    output logic fresh,  // of an instruction that starts from +0
    output logic [MLEN*16-1:0] a,  // tap t of mini-array p at p*BLEN + t
    output logic [MLEN*16-1:0] b,  // likewise
    input wire logic load  // the pair is taken
);
  localparam int LANES = MLEN / HLEN;
  localparam int HEADS = (BLEN > HLEN) ? BLEN / HLEN : 1;  // heads whose taps share a mini-array
  localparam int LM = $clog2(MLEN);
  localparam int PW = $clog2(PAIRS);
  localparam int KW = 4 + 2 * LM;  // bits of what travels with a pair

  logic [MLEN*16-1:0] rows[0:PAIRS-1];
  logic [MLEN*16-1:0] vectors[0:PAIRS-1];
  logic [KW-1:0] kinds[0:PAIRS-1];
  logic arriving_q;
  logic [KW-1:0] arriving_kind_q;
  logic [PW-1:0] tail_q;
  logic [PW-1:0] head_place_q;
  logic [PW:0] waiting_q;
  logic [PW:0] places_q;  // free places, those of pairs on their way counted as taken

  assign free = places_q != '0;
  assign any  = waiting_q != '0;

  always_ff @(posedge clk) begin
    if (rst) begin
      arriving_q <= 1'b0;
      tail_q <= '0;
      head_place_q <= '0;
      waiting_q <= '0;
      places_q <= (PW + 1)'(PAIRS);
    end else begin
      arriving_q <= fetched;
      if (arriving_q) tail_q <= tail_q + 1'b1;
      if (load) head_place_q <= head_place_q + 1'b1;
      if (arriving_q != load) waiting_q <= arriving_q ? waiting_q + 1'b1 : waiting_q - 1'b1;
      if (fetched != load) places_q <= load ? places_q + 1'b1 : places_q - 1'b1;
    end
    if (fetched)
      arriving_kind_q <= {
        fetched_single, fetched_head, fetched_fresh, fetched_contiguous, fetched_part, fetched_off
      };
    if (arriving_q) begin
      rows[tail_q] <= rd_data;
      vectors[tail_q] <= ms_rd_data;
      kinds[tail_q] <= arriving_kind_q;
    end
  end

  // Layout. Head h takes the places h*HLEN..h*HLEN + HLEN-1 of both operands, and each head the same taps of the
  // vector. Where a mini-array holds several heads, a pass is for one of them, and the taps of the others are -0 times
  // +0: a product of -0, which changes no sum.
  logic [MLEN*16-1:0] row;
  logic [MLEN*16-1:0] vector;
  logic contiguous;
  logic [LM-1:0] part;
  logic [LM-1:0] off;
  assign row = rows[head_place_q];
  assign vector = vectors[head_place_q];
  assign {single, head, fresh, contiguous, part, off} = kinds[head_place_q];

  always_comb begin
    a = row;
    b = vector;
    if (any && head) begin
      // verilator unroll_disable
      for (int h = 0; h < LANES; h++) begin
        // verilator unroll_disable
        for (int d = 0; d < HLEN; d++) begin
          if (h % HEADS == int'(part)) begin
            if (!contiguous) a[(h*HLEN+d)*16+:16] = row[(d*LANES+h)*16+:16];
            b[(h*HLEN+d)*16+:16] = vector[(int'(off)+d)*16+:16];
          end else begin
            a[(h*HLEN+d)*16+:16] = 16'h8000;
            b[(h*HLEN+d)*16+:16] = 16'h0000;
          end
        end
      end
    end
  end

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(pairs_free, fetched, free, "a pair is asked for that has no place")
  `PLENA_ASSERT_WHEN(pairs_load, load, any, "a pair is loaded that is not there")
endmodule

`default_nettype wire
