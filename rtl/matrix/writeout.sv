// Write-out of the matrix unit: adds the mini-arrays' sums of a row in a balanced tree, rounds to bf16, queues rows for VRAM.
// Timing: one row a cycle; log2(P) tree stages (per-head sums leave after the groups of a head), rounding, queue; then the grant.
// Specified in docs/microarchitecture.md, "Matrix unit"; the tree in docs/isa.md, "Numbers".
`timescale 1ns / 1ps
`default_nettype none

module writeout #(
    parameter int MLEN = 64,  // elements of a VRAM row
    parameter int BLEN = 16,  // elements of a result row, and result rows of a write-out
    parameter int HLEN = 64,  // elements of a head
    parameter int VRW  = 14   // bits of a VRAM row number
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    // places: a write-out needs BLEN places before its first row may come
    output logic room,  // BLEN places are free
    input wire logic reserve,  // take BLEN places
    input wire logic reserve_single,  // take only one
    // rows from the array, one for each reserved place, and those of per-head sums
    input wire logic row_valid,  // a row comes
    input wire logic row_head,  // per-head sums
    input wire logic row_single,  // the only row of its pass
    input wire logic row_fresh,  // the per-head sums start from +0
    input wire logic [MLEN*32-1:0] row_data,  // f32 sum of column j in mini-array p at p*BLEN + j
    // per-head sums, a row a cycle
    output logic head_valid,  // a row leaves
    output logic head_single,  // the only row of its pass
    output logic head_fresh,  // the per-head sums start from +0
    output logic [((HLEN > BLEN) ? MLEN*BLEN/HLEN : MLEN)*32-1:0] head_data,  // unit u, column j: f32 at u*BLEN + j
    // target of the oldest unfinished write-out; stays until done
    input wire logic to_single,  // it has one result row, not BLEN
    input wire logic [VRW-1:0] to_row,  // VRAM row of its first result row
    input wire logic [VRW-1:0] to_stride,  // VRAM rows from one result row to the next
    input wire logic [MLEN/BLEN-1:0] to_mask,  // the block of BLEN columns that is written, one bit
    output logic done,  // its last row is taken in this cycle
    // VRAM write port
    output logic wr_req,  // request
    output logic [VRW-1:0] wr_row,  // row
    output logic [MLEN*16-1:0] wr_data,  // the result row in every block
    output logic [MLEN/BLEN-1:0] wr_mask,  // block that is written
    input wire logic wr_gnt  // taken
);
  localparam int P = MLEN / BLEN;
  localparam int LP = $clog2(P);
  localparam int LB = $clog2(BLEN);
  localparam int LG = (HLEN > BLEN) ? $clog2(
      HLEN / BLEN
  ) : 0;  // stages in which the groups of a head meet
  localparam int ROWS = 2 ** $clog2(
      2 * BLEN + LP + 4
  );  // two write-outs and the pipeline before the queue
  localparam int QW = $clog2(ROWS);

  initial begin
    if (BLEN < 4 || (BLEN & (BLEN - 1)) != 0)
      $fatal(1, "writeout: BLEN=%0d must be a power of two of at least 4", BLEN);
    if (MLEN < BLEN || (MLEN & (MLEN - 1)) != 0)
      $fatal(1, "writeout: MLEN=%0d must be a power of two of at least BLEN=%0d", MLEN, BLEN);
  end

  // Tree: stage l adds neighbouring groups of BLEN sums; stage 0 is the input. Per-head sums leave at stage LG.
  logic [LP:0] valid;
  logic [LP:0] onward;  // and it stays in the tree
  assign valid[0] = row_valid;
  assign head_valid = valid[LG] && g_kind[LG].kind_q[2];
  assign head_single = g_kind[LG].kind_q[1];
  assign head_fresh = g_kind[LG].kind_q[0];
  assign head_data = g_stage[LG].node_q;

  for (genvar l = 0; l <= LP; l++) begin : g_onward
    assign onward[l] = valid[l] && !(l == LG && head_valid);
  end
  for (genvar l = 0; l <= LG; l++) begin : g_kind
    logic [2:0] kind_q;  // per-head, single, fresh
    if (l == 0) begin : g_input
      assign kind_q = {row_head, row_single, row_fresh};
    end else begin : g_register
      always_ff @(posedge clk) kind_q <= g_kind[l-1].kind_q;
    end
  end

  for (genvar l = 0; l <= LP; l++) begin : g_stage
    localparam int N = MLEN >> l;
    logic [N*32-1:0] node_q;
    if (l == 0) begin : g_input
      assign node_q = row_data;
    end else begin : g_add
      logic stage_valid_q;
      assign valid[l] = stage_valid_q;
      always_ff @(posedge clk) begin
        stage_valid_q <= onward[l-1] && !rst;
        if (onward[l-1]) begin
          // verilator unroll_disable
          for (int q = 0; q < N / BLEN; q++) begin
            // verilator unroll_disable
            for (int j = 0; j < BLEN; j++) begin
              node_q[(q*BLEN+j)*32+:32] <= plena_fp::f32_add(
                  g_stage[l-1].node_q[(2*q*BLEN+j)*32+:32],
                  g_stage[l-1].node_q[((2*q+1)*BLEN+j)*32+:32]
              );
            end
          end
        end
      end
    end
  end

  // Rounding.
  logic rounded_valid_q;
  logic [BLEN*16-1:0] rounded_q;
  always_ff @(posedge clk) begin
    rounded_valid_q <= onward[LP] && !rst;
    if (onward[LP])
      for (int j = 0; j < BLEN; j++)
      rounded_q[j*16+:16] <= plena_fp::f32_to_bf16(g_stage[LP].node_q[j*32+:32]);
  end

  // Queue of result rows. Places are counted from the reservation to the grant, so it cannot overflow.
  logic [BLEN*16-1:0] queue[0:ROWS-1];
  logic [QW-1:0] tail_q;
  logic [QW-1:0] head_q;
  logic [QW:0] places_q;
  logic queue_full_q;
  logic taken;

  assign room   = places_q >= (QW + 1)'(BLEN);
  assign wr_req = tail_q != head_q || queue_full_q;
  assign taken  = wr_req && wr_gnt;

  always_ff @(posedge clk) begin
    if (rst) begin
      tail_q <= '0;
      head_q <= '0;
      queue_full_q <= 1'b0;
      places_q <= (QW + 1)'(ROWS);
    end else begin
      if (rounded_valid_q) tail_q <= tail_q + 1'b1;
      if (taken) head_q <= head_q + 1'b1;
      if (rounded_valid_q != taken) queue_full_q <= rounded_valid_q && tail_q + 1'b1 == head_q;
      if (reserve || taken)
        places_q <= places_q + {{QW{1'b0}}, taken} -
            (!reserve ? '0 : reserve_single ? (QW + 1)'(1) : (QW + 1)'(BLEN));
    end
    if (rounded_valid_q) queue[tail_q] <= rounded_q;
  end

  // VRAM rows, one by one in rising order.
  logic [ LB-1:0] row_index_q;
  logic [VRW-1:0] next_row_q;

  assign wr_row  = (row_index_q == '0) ? to_row : next_row_q;
  assign wr_data = {P{queue[head_q]}};
  assign wr_mask = to_mask;
  assign done    = taken && (to_single || row_index_q == LB'(BLEN - 1));

  always_ff @(posedge clk) begin
    if (rst) row_index_q <= '0;
    else if (taken) row_index_q <= to_single ? '0 : row_index_q + 1'b1;
    if (taken) next_row_q <= wr_row + to_stride;
  end

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(writeout_reserve, reserve,
                     places_q >= (reserve_single ? (QW + 1)'(1) : (QW + 1)'(BLEN)),
                     "places are taken that are not free")
  `PLENA_ASSERT_WHEN(writeout_overflow, rounded_valid_q, !queue_full_q,
                     "the queue of result rows overflows")
  `PLENA_ASSERT_WHEN(writeout_one_block, wr_req,
                     to_mask != '0 && (to_mask & (to_mask - 1'b1)) == '0,
                     "a result row goes to more than one block")
endmodule

`default_nettype wire
