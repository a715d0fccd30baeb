// Per-head accumulators hm and hv: a memory in min(LANES, P) banks that adds the sums of every pass, and their write-out.
// Timing: a row of sums a cycle, in memory 3 cycles later; a write-out gives a row every max(1, HLEN/BLEN) cycles.
// Specified in docs/microarchitecture.md, "Matrix unit"; the order of the sums in docs/isa.md, "Numbers".
`timescale 1ns / 1ps
`default_nettype none

module head_sums #(
    parameter int MLEN = 64,  // elements of a row
    parameter int BLEN = 16,  // columns of a pass
    parameter int HLEN = 64,  // elements of a head
    parameter int VRW  = 14   // bits of a VRAM row number
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    // passes: from the array to this memory
    input wire logic enter,  // a per-head pass enters the array
    input wire logic row_valid,  // a row of sums comes
    input wire logic row_single,  // it is of hv, and the only one of its pass
    input wire logic row_fresh,  // it replaces +0
    input wire logic [((HLEN > BLEN) ? MLEN*BLEN/HLEN : MLEN)*32-1:0] row_data, // unit u, column j: f32 at u*BLEN + j
    // write-out: at most one between its turn and its end
    input wire logic turn,  // a write-out takes its turn
    output logic hold,  // no pass may enter, and no other write-out take its turn
    input wire logic write,  // it may write: it is the oldest unfinished one of the matrix unit
    input wire logic to_single,  // it is of hv
    input wire logic to_zero,  // as +0
    input wire logic [VRW-1:0] to_row,  // first VRAM row
    output logic done,  // its last row is taken in this cycle
    // VRAM write port
    output logic wr_req,  // request
    output logic [VRW-1:0] wr_row,  // row
    output logic [MLEN*16-1:0] wr_data,  // data
    input wire logic wr_gnt  // taken
);
  localparam int P = MLEN / BLEN;
  localparam int LANES = MLEN / HLEN;
  localparam int UNITS = (LANES < P) ? LANES : P;  // heads of a pass, and banks
  localparam int PARTS = LANES / UNITS;  // passes that share a row and a block of columns: head = unit*PARTS + part
  localparam int STEPS = P / UNITS;  // words of a row that lie in the same bank
  localparam int LM = $clog2(MLEN);
  localparam int LP = $clog2(P);
  localparam int LS = $clog2(PARTS);
  localparam int WORD = BLEN * 32;
  // Word (part, block of columns jb, row i) of hm at (part*P + jb)*MLEN + i; then (part, jb) of hv at part*P + jb. Passes
  // come in that order. Bank (unit + jb) mod UNITS holds it, so that a pass, one jb of all units, and a row, all jb
  // of a unit, both find their words in different banks.
  localparam int MATRIX = PARTS * P * MLEN;
  localparam int VECTOR = PARTS * P;
  localparam int AW = $clog2(MATRIX + VECTOR);
  localparam int LH = (LANES > 1) ? $clog2(LANES) : 1;
  localparam int UW = (UNITS > 1) ? $clog2(UNITS) : 1;

  // Passes on their way.
  logic [4:0] flying_q;
  logic landed;

  // Accumulation: read the word; add; write it back. The same word comes again BLEN cycles later or more.
  logic [AW-1:0] matrix_at_q;
  logic [AW-1:0] vector_at_q;
  logic [AW-1:0] at;
  logic [UW-1:0] turned;  // jb mod UNITS
  logic term_valid_q, term_fresh_q, term_last_q;
  logic [AW-1:0] term_at_q;
  logic [UW-1:0] term_turned_q;
  logic [UNITS*UW-1:0] unit_of;  // unit of the term that a bank takes
  logic [UNITS*WORD-1:0] term_q;
  logic [UNITS*WORD-1:0] held;
  logic [UNITS*WORD-1:0] sum_q;
  logic sum_valid_q, sum_last_q;
  logic [AW-1:0] sum_at_q;
  logic row_last;

  assign at = row_single ? AW'(MATRIX) + vector_at_q : matrix_at_q;
  assign turned = row_single ? UW'(vector_at_q & AW'(UNITS - 1)) : UW'((matrix_at_q >> LM) & AW'(UNITS - 1));
  assign row_last = row_single || (matrix_at_q & AW'(BLEN - 1)) == AW'(BLEN - 1);
  assign landed = sum_valid_q && sum_last_q;

  always_ff @(posedge clk) begin
    if (rst) begin
      matrix_at_q <= '0;
      vector_at_q <= '0;
      term_valid_q <= 1'b0;
      sum_valid_q <= 1'b0;
      flying_q <= '0;
    end else begin
      if (row_valid && row_single)
        vector_at_q <= (vector_at_q == AW'(VECTOR - 1)) ? '0 : vector_at_q + 1'b1;
      if (row_valid && !row_single)
        matrix_at_q <= (matrix_at_q == AW'(MATRIX - 1)) ? '0 : matrix_at_q + 1'b1;
      term_valid_q <= row_valid;
      sum_valid_q  <= term_valid_q;
      if (enter != landed) flying_q <= enter ? flying_q + 1'b1 : flying_q - 1'b1;
    end
    if (row_valid) begin
      term_q <= row_data;
      term_at_q <= at;
      term_turned_q <= turned;
      term_fresh_q <= row_fresh;
      term_last_q <= row_last;
    end
    if (term_valid_q) begin
      sum_at_q   <= term_at_q;
      sum_last_q <= term_last_q;
      // verilator unroll_disable
      for (int k = 0; k < UNITS; k++) begin
        // verilator unroll_disable
        for (int j = 0; j < BLEN; j++) begin
          sum_q[(k*BLEN+j)*32+:32] <= plena_fp::f32_add(
              term_fresh_q ? 32'd0 : held[(k*BLEN+j)*32+:32],
              term_q[(int'(unit_of[k*UW+:UW])*BLEN+j)*32+:32]
          );
        end
      end
    end
  end

  // Write-out: read the words of a row, STEPS cycles, round, and hand the row over.
  logic reading;
  logic ended_q;  // the last read is under way or behind
  logic move;  // the row register can take what was read
  logic read;
  logic [LM-1:0] read_row_q;  // i, for hm
  logic [LH-1:0] read_head_q;
  logic [LP:0] read_step_q;
  logic last_step, last_row, last_head;
  logic got_q, got_last_q;  // words of the row are in `held`, the last ones
  logic [LP:0] got_step_q;
  logic [UW-1:0] got_unit_q;
  logic [UNITS*UW-1:0] bank_of;  // bank of each block that was read
  logic full_q;  // the row is complete
  logic left_last_q;  // it is the last one
  logic got_end_q;
  logic first_q;
  logic [VRW-1:0] next_row_q;
  logic [LH-1:0] unit;
  logic [LH-1:0] part;

  assign unit = read_head_q >> LS;
  assign part = read_head_q & LH'(PARTS - 1);
  assign reading = hold && write && flying_q == '0 && !ended_q;
  assign move = !full_q || wr_gnt;
  assign read = reading && move;
  assign last_step = read_step_q == (LP + 1)'(STEPS - 1);
  assign last_row = to_single || read_row_q == LM'(MLEN - 1);
  assign last_head = read_head_q == LH'(LANES - 1);
  assign wr_req = full_q;
  assign wr_row = first_q ? to_row : next_row_q;
  assign done = full_q && left_last_q && wr_gnt;

  always_ff @(posedge clk) begin
    if (rst) begin
      hold <= 1'b0;
      ended_q <= 1'b0;
      got_q <= 1'b0;
      full_q <= 1'b0;
      first_q <= 1'b1;
      read_row_q <= '0;
      read_head_q <= '0;
      read_step_q <= '0;
    end else begin
      if (turn) hold <= 1'b1;
      else if (done) hold <= 1'b0;
      if (done) ended_q <= 1'b0;
      else if (read && last_step && last_row && last_head) ended_q <= 1'b1;
      if (read) begin
        read_step_q <= last_step ? '0 : read_step_q + 1'b1;
        if (last_step) begin
          if (!to_single) read_row_q <= read_row_q + 1'b1;
          if (last_row) read_head_q <= last_head ? '0 : read_head_q + 1'b1;
        end
      end
      if (move) begin
        got_q  <= read;
        full_q <= got_q && got_last_q;
      end
      if (full_q && wr_gnt) first_q <= left_last_q;
    end
    if (read) begin
      got_last_q <= last_step;
      got_end_q  <= last_row && last_head;
      got_step_q <= read_step_q;
      got_unit_q <= UW'(unit);
    end
    if (full_q && wr_gnt) next_row_q <= wr_row + 1'b1;
    if (move && got_q) begin
      left_last_q <= got_end_q;
      // verilator unroll_disable
      for (int n = 0; n < UNITS; n++) begin
        // verilator unroll_disable
        for (int j = 0; j < BLEN; j++) begin
          wr_data[((int'(got_step_q)*UNITS+n)*BLEN+j)*16+:16] <= to_zero ? 16'd0 : plena_fp::f32_to_bf16(
              held[(int'(bank_of[n*UW+:UW])*BLEN+j)*32+:32]);
        end
      end
    end
  end

  for (genvar k = 0; k < UNITS; k++) begin : g_bank
    logic [AW-1:0] block;  // jb of the row's word in this bank
    logic [AW-1:0] row_at;
    assign unit_of[k*UW+:UW] = UW'(k) - term_turned_q;
    assign bank_of[k*UW+:UW] = UW'(k) + got_unit_q;
    assign block = AW'(read_step_q) * AW'(UNITS) + ((AW'(k) - AW'(unit)) & AW'(UNITS - 1)) + (AW'(part) << LP);
    assign row_at = to_single ? AW'(MATRIX) + block : (block << LM) + AW'(read_row_q);
    ram_1r1w #(
        .WIDTH(WORD),
        .WORDS(MATRIX + VECTOR),
        .AW(AW)
    ) u_bank (
        .clk(clk),
        .rd_en(row_valid || read),
        .rd_addr(row_valid ? at : row_at),
        .rd_data(held[k*WORD+:WORD]),
        .wr_en(sum_valid_q),
        .wr_addr(sum_at_q),
        .wr_data(sum_q[k*WORD+:WORD])
    );
  end

  `PLENA_ASSERT_RESET(rst)

  always @(posedge clk)
    if (hold !== 1'b0) begin
      `PLENA_ASSERT_HERE(heads_one_writeout, !turn, "a write-out takes its turn during another")
      `PLENA_ASSERT_HERE(heads_held, !enter, "a pass enters during a write-out")
      `PLENA_ASSERT_HERE(heads_one_read, !(row_valid && read),
                         "a row of sums comes while a write-out reads")
    end
  `PLENA_ASSERT_WHEN(heads_landed, landed, flying_q != '0, "more passes end than have begun")
endmodule

`default_nettype wire
