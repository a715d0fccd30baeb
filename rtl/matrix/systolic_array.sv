// Flattened systolic array: P mini-arrays of BLEN x BLEN output-stationary processing elements with two f32 accumulators each, row 0 with four.
// Timing: pair i of a product loaded in array cycle T+i; accumulator row i holds the product from T+2*BLEN+1+i; rows leave one cycle after drain.
// Specified in docs/microarchitecture.md, "Matrix unit"; order and rounding of sums in docs/isa.md, "Numbers".
`timescale 1ns / 1ps
`default_nettype none

module systolic_array #(
    parameter int MLEN = 16,  // taps of a product, and processing elements of a row
    parameter int BLEN = 4    // rows and columns of a mini-array
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    input wire logic advance,  // array time goes on; while low everything but row_valid stands still
    // operands
    input wire logic load,  // pair load_idx of a product enters (taken with advance)
    input wire logic [$clog2(BLEN)-1:0] load_idx,  // i of the pair
    input wire logic load_fresh,  // first pair of a product that starts from +0, not from the old sums
    input wire logic load_single,  // the product has row 0 only; it goes to a bank of one row
    input wire logic load_bank,  // accumulator bank of the product
    input wire logic [MLEN*16-1:0] load_a,  // row i of the left operand, MLEN taps
    input wire logic [MLEN*16-1:0] load_b,  // column i of the right operand, MLEN taps
    // sums
    input wire logic drain,  // read an accumulator row (taken with advance)
    input wire logic drain_zero,  // give +0 in its place
    input wire logic drain_single,  // it is the one row of a bank of one row
    input wire logic drain_bank,  // its bank
    input wire logic [$clog2(BLEN)-1:0] drain_row,  // its row
    output logic row_valid,  // a row leaves
    output logic [MLEN*32-1:0] row_data  // f32 sum of column j in mini-array p at p*BLEN + j
);
  localparam int P = MLEN / BLEN;
  localparam int STEPS = 2 * BLEN - 1;  // diagonals of a mini-array
  localparam int AW = MLEN * 16;
  localparam int RW = MLEN * 32;
  localparam int LB = $clog2(BLEN);

  initial begin
    if (BLEN < 4 || (BLEN & (BLEN - 1)) != 0)
      $fatal(1, "systolic_array: BLEN=%0d must be a power of two of at least 4", BLEN);
    if (MLEN < BLEN || (MLEN & (MLEN - 1)) != 0)
      $fatal(1, "systolic_array: MLEN=%0d must be a power of two of at least BLEN=%0d", MLEN, BLEN);
  end

  // Wave control, one bit a diagonal d = i + j: a tap is multiplied with bit d and added a cycle later with bit d+1.
  logic [STEPS:0] valid_q;
  logic [STEPS:0] fresh_q;
  logic [STEPS:0] single_q;
  logic [STEPS:0] bank_q;

  // Left operands: element (i, j) of mini-array p has its tap at i*MLEN + p*BLEN + j of `a_q`, and hands it on to element
  // (i, j+1). The taps that have still to enter row i of mini-array p wait in `a_waits_q`, the next one at i*MLEN + p*BLEN.
  logic [BLEN*AW-1:0] a_q;
  logic [BLEN*AW-1:0] a_waits_q;

  // Right operands: element (i, j) of mini-array p has its tap at i*MLEN + p*BLEN + j of `b_q`, and hands it on to element
  // (i+1, j). The taps that have still to enter column j wait in `b_waits_q`, the next one at p*BLEN + j, the one after it
  // at MLEN + p*BLEN + j, and so on.
  logic [BLEN*AW-1:0] b_q;
  logic [(BLEN-1)*AW-1:0] b_waits_q;

  // Accumulators in their two banks: element (i, j) of mini-array p at i*MLEN + p*BLEN + j. Row 0 has two
  // more, for banks of one row.
  logic [BLEN*RW-1:0] sum0_q;
  logic [BLEN*RW-1:0] sum1_q;
  logic [RW-1:0] single0_q;
  logic [RW-1:0] single1_q;

  // Functions of whole rows; lane n is column n mod BLEN of its mini-array. Verilator keeps them functions and their first
  // loops loops, which the C++ compiler turns into vector instructions: so they write words of an array, which is packed
  // at the end.

  // Left operands of a row one element on; the lower lane of a mini-array's first word enters. Two lanes share a word.
  function automatic logic [AW-1:0] handed_on(input logic [AW-1:0] taps,
                                              input logic [AW-1:0] entering);
    // verilator no_inline_task
    // verilator unroll_disable
    for (int unsigned n = 0; n < MLEN / 2; n += BLEN / 2) begin
      handed_on[n*32+:32] = (taps[n*32+:32] << 16) | (entering[n*32+:32] & 32'h0000ffff);
      // verilator unroll_full
      for (int unsigned k = 1; k < BLEN / 2; k++)
      handed_on[(n+k)*32+:32] = (taps[(n+k)*32+:32] << 16) | (taps[(n+k-1)*32+:32] >> 16);
    end
  endfunction

  // Rows of right operands that wait, with the taps of one column put in.
  function automatic logic [BLEN*AW-1:0] with_column(
      input logic [BLEN*AW-1:0] rows, input logic [AW-1:0] taps, input logic [LB-1:0] column);
    // verilator no_inline_task
    logic [31:0] keep;
    logic [31:0] pair;
    logic [31:0] at;
    keep = column[0] ? 32'h0000ffff : 32'hffff0000;
    with_column = rows;
    // verilator unroll_disable
    for (int unsigned p = 0; p < P; p++) begin
      // verilator unroll_disable
      for (int unsigned t = 0; t < BLEN; t += 2) begin
        pair = taps[(p*BLEN+t)*16+:32];
        at = (t * MLEN + p * BLEN) / 2 + 32'(column >> 1);
        with_column[at*32+:32] = (rows[at*32+:32] & keep) | ({pair[15:0], pair[15:0]} & ~keep);
        at = at + MLEN / 2;
        with_column[at*32+:32] = (rows[at*32+:32] & keep) | ({pair[31:16], pair[31:16]} & ~keep);
      end
    end
  endfunction

  // Products of a row.
  function automatic logic [RW-1:0] products(input logic [AW-1:0] left, input logic [AW-1:0] right);
    // verilator no_inline_task
    logic [31:0] even[0:MLEN/2-1];
    logic [31:0] odd [0:MLEN/2-1];
    logic [31:0] x;
    logic [31:0] y;
    // verilator unroll_disable
    for (int unsigned n = 0; n < MLEN / 2; n++) begin
      x = left[n*32+:32];
      y = right[n*32+:32];
      even[n] = plena_fp::bf16_mul_f32(x, y);
      odd[n] = plena_fp::bf16_mul_f32(x >> 16, y >> 16);
    end
    // verilator unroll_full
    for (int unsigned n = 0; n < MLEN / 2; n++) products[n*64+:64] = {odd[n], even[n]};
  endfunction

  // Lanes of `yes` in the columns of `choice`, of `no` in the others.
  function automatic logic [RW-1:0] select(input logic [BLEN-1:0] choice, input logic [RW-1:0] yes,
                                           input logic [RW-1:0] no);
    // verilator no_inline_task
    logic [31:0] lane[0:MLEN-1];
    // verilator unroll_disable
    for (int unsigned n = 0; n < MLEN; n++) lane[n] = choice[LB'(n)] ? yes[n*32+:32] : no[n*32+:32];
    // verilator unroll_full
    for (int unsigned n = 0; n < MLEN; n++) select[n*32+:32] = lane[n];
  endfunction

  // Sums of a row with its products: the old ones are +0 in the columns of `from_zero`, else those of bank 1 in the columns
  // of `from_one`, else those of bank 0.
  function automatic logic [RW-1:0] sums(input logic [BLEN-1:0] from_zero,
                                         input logic [BLEN-1:0] from_one, input logic [RW-1:0] one,
                                         input logic [RW-1:0] zero, input logic [RW-1:0] terms);
    // verilator no_inline_task
    logic [31:0] lane[0:MLEN-1];
    logic [31:0] old;
    // verilator unroll_disable
    for (int unsigned n = 0; n < MLEN; n++) begin
      old = from_one[LB'(n)] ? one[n*32+:32] : zero[n*32+:32];
      lane[n] = plena_fp::f32_add(from_zero[LB'(n)] ? 32'd0 : old, terms[n*32+:32]);
    end
    // verilator unroll_full
    for (int unsigned n = 0; n < MLEN; n++) sums[n*32+:32] = lane[n];
  endfunction

  logic step;  // something is in flight or enters
  assign step = advance && (load || valid_q != '0);

  always_ff @(posedge clk) begin
    if (rst) valid_q <= '0;
    else if (step) begin
      valid_q  <= {valid_q[STEPS-1:0], load};
      fresh_q  <= {fresh_q[STEPS-1:0], load_fresh};
      single_q <= {single_q[STEPS-1:0], load_single};
      bank_q   <= {bank_q[STEPS-1:0], load_bank};
    end
  end

  always_ff @(posedge clk) begin
    if (step) begin : shift_b
      logic [BLEN*AW-1:0] waiting;
      waiting = {{AW{1'b0}}, b_waits_q};
      if (load) waiting = with_column(waiting, load_b, load_idx);
      b_q <= {b_q[(BLEN-1)*AW-1:0], waiting[AW-1:0]};
      b_waits_q <= waiting[BLEN*AW-1:AW];
    end
  end

  for (genvar i = 0; i < BLEN; i++) begin : g_row
    // Columns in which a product, a sum is due.
    logic [BLEN-1:0] multiplies, adds, to_single, to_one, to_sum0, to_sum1, from_zero;
    assign multiplies = i == 0 ? valid_q[i+:BLEN] : valid_q[i+:BLEN] & ~single_q[i+:BLEN];
    assign adds = valid_q[i+1+:BLEN];
    assign to_single = single_q[i+1+:BLEN];
    assign to_one = bank_q[i+1+:BLEN];
    assign to_sum0 = adds & ~to_single & ~to_one;
    assign to_sum1 = adds & ~to_single & to_one;
    assign from_zero = fresh_q[i+1+:BLEN];

    logic loads;  // the row's left operands enter
    assign loads = load && load_idx == LB'(i) && (i == 0 || !load_single);
    always_ff @(posedge clk) begin
      if (step && (loads || multiplies != '0)) begin : left
        logic [AW-1:0] entering;
        entering = loads ? load_a : a_waits_q[i*AW+:AW];
        a_q[i*AW+:AW] <= handed_on(a_q[i*AW+:AW], entering);
        a_waits_q[i*AW+:AW] <= entering >> 16;
      end
    end

    logic [RW-1:0] product_q;
    always_ff @(posedge clk) begin
      if (step && multiplies != '0) product_q <= products(a_q[i*AW+:AW], b_q[i*AW+:AW]);
    end

    if (i == 0) begin : g_first
      always_ff @(posedge clk) begin
        if (step && adds != '0) begin : add
          logic [RW-1:0] one;
          logic [RW-1:0] zero;
          logic [RW-1:0] sum;
          one  = sum1_q[RW-1:0];
          zero = sum0_q[RW-1:0];
          if (to_single != '0) begin
            one  = select(to_single, single1_q, one);
            zero = select(to_single, single0_q, zero);
          end
          sum = sums(from_zero, to_one, one, zero, product_q);
          if (to_sum0 != '0) sum0_q[RW-1:0] <= select(to_sum0, sum, sum0_q[RW-1:0]);
          if (to_sum1 != '0) sum1_q[RW-1:0] <= select(to_sum1, sum, sum1_q[RW-1:0]);
          if (to_single != '0) begin
            single0_q <= select(adds & to_single & ~to_one, sum, single0_q);
            single1_q <= select(adds & to_single & to_one, sum, single1_q);
          end
        end
      end
    end else begin : g_next
      always_ff @(posedge clk) begin
        if (step && (adds & ~to_single) != '0) begin : add
          logic [RW-1:0] sum;
          sum = sums(from_zero, to_one, sum1_q[i*RW+:RW], sum0_q[i*RW+:RW], product_q);
          if (to_sum0 != '0) sum0_q[i*RW+:RW] <= select(to_sum0, sum, sum0_q[i*RW+:RW]);
          if (to_sum1 != '0) sum1_q[i*RW+:RW] <= select(to_sum1, sum, sum1_q[i*RW+:RW]);
        end
      end
    end
  end

  always_ff @(posedge clk) begin
    row_valid <= !rst && advance && drain;
    if (advance && drain)
      row_data <= drain_zero ? '0 :
          drain_single ? (drain_bank ? single1_q : single0_q) :
          drain_bank ? sum1_q[drain_row*RW+:RW] : sum0_q[drain_row*RW+:RW];
  end

  `PLENA_ASSERT_RESET(rst)

  // Diagonals on which sums of the bank that drains are still in motion: for row r they are r+1 to r+BLEN.
  logic [STEPS:0] moving;
  assign moving = valid_q & ~(bank_q ^ {(STEPS + 1) {drain_bank}}) & ~(single_q ^ {(STEPS + 1) {drain_single}});
  `PLENA_ASSERT_WHEN(array_drain_settled, drain && advance,
                     BLEN'(moving >> (int'(drain_row) + 1)) == '0,
                     "a row drains before its sums are complete")
endmodule

`default_nettype wire
