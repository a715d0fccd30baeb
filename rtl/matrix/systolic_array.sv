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
  localparam int STEPS = 2 * BLEN - 1;  // places of an operand's shift register; also diagonals of a mini-array
  localparam int AW = MLEN * 16;
  localparam int RW = MLEN * 32;

  // Processes that the processing elements are spread over. A simulator is fastest with all in one loop; Yosys takes
  // time with the square of a process, so it gets one for each place (i, j).
`ifdef YOSYS
  localparam int GROUPS = BLEN * BLEN;
`else
  localparam int GROUPS = 1;
`endif

  initial begin
    if (BLEN < 4 || (BLEN & (BLEN - 1)) != 0)
      $fatal(1, "systolic_array: BLEN=%0d must be a power of two of at least 4", BLEN);
    if (MLEN < BLEN || (MLEN & (MLEN - 1)) != 0)
      $fatal(1, "systolic_array: MLEN=%0d must be a power of two of at least BLEN=%0d", MLEN, BLEN);
  end

  // Wave control, one bit a diagonal d = i + j: a tap is multiplied with bit d and added a cycle later with bit d+1.
  logic [STEPS:0] valid;
  logic [STEPS:0] fresh;
  logic [STEPS:0] single;
  logic [STEPS:0] bank;

  // Operands. Place s of a shift register holds, for row i of mini-array p of the left operand, element p*BLEN + i of the
  // place, alike for column j of the right one. Tap t is loaded at place BLEN-1+t; all places move down one a cycle;
  // element (i, j) reads place BLEN-1-j of row i and place BLEN-1-i of column j, which is the systolic skew.
  logic [STEPS*AW-1:0] a;
  logic [STEPS*AW-1:0] b;

  // Processing elements, row by row: element (i, j) of mini-array p at i*MLEN + p*BLEN + j. Banks of one row: place p*BLEN + j.
  logic [BLEN*RW-1:0] product;
  logic [BLEN*RW-1:0] sum0;
  logic [BLEN*RW-1:0] sum1;
  logic [RW-1:0] single0;
  logic [RW-1:0] single1;

  // Sum of one element with its next product. All banks call it with the same operands: one adder an element.
  function automatic logic [31:0] next_sum(input logic of_single, input logic from_bank,
                                           input logic from_zero, input logic [31:0] single_one,
                                           input logic [31:0] single_zero, input logic [31:0] one,
                                           input logic [31:0] zero, input logic [31:0] term);
    next_sum = plena_fp::f32_add(
        from_zero ? 32'd0 :
            of_single ? (from_bank ? single_one : single_zero) : (from_bank ? one : zero),
        term
    );
  endfunction

  // One of the two elements in a word of `a` or `b`. BLEN is even, so the parity of i or j alone tells which.
  function automatic logic [15:0] half(input logic [31:0] word, input logic upper);
    half = upper ? word[31:16] : word[15:0];
  endfunction

  logic step;  // something is in flight or enters
  assign step = advance && (load || valid != '0);

  always_ff @(posedge clk) begin
    if (rst) valid <= '0;
    else if (step) begin
      valid  <= {valid[STEPS-1:0], load};
      fresh  <= {fresh[STEPS-1:0], load_fresh};
      single <= {single[STEPS-1:0], load_single};
      bank   <= {bank[STEPS-1:0], load_bank};
    end
  end

  always_ff @(posedge clk) begin
    if (step) begin
      a[(STEPS-1)*AW-1:0] <= a[STEPS*AW-1:AW];
      b[(STEPS-1)*AW-1:0] <= b[STEPS*AW-1:AW];
      // verilator unroll_disable
      for (int unsigned i = 0; i < BLEN; i++) begin
        if (load && int'(load_idx) == i) begin
          // verilator unroll_disable
          for (int unsigned t = 0; t < BLEN; t++) begin
            // verilator unroll_disable
            for (int unsigned p = 0; p < P; p++) begin
              a[((BLEN-1+t)*MLEN+p*BLEN+i)*16+:16] <= load_a[(p*BLEN+t)*16+:16];
              b[((BLEN-1+t)*MLEN+p*BLEN+i)*16+:16] <= load_b[(p*BLEN+t)*16+:16];
            end
          end
        end
      end
    end
  end

  for (genvar g = 0; g < GROUPS; g++) begin : g_group
    localparam int ROW = (GROUPS == 1) ? 0 : g / BLEN;
    localparam int ROW_END = (GROUPS == 1) ? BLEN : ROW + 1;
    localparam int COLUMN = (GROUPS == 1) ? 0 : g % BLEN;
    localparam int COLUMN_END = (GROUPS == 1) ? BLEN : COLUMN + 1;
    always_ff @(posedge clk) begin
      if (step) begin
        // verilator unroll_disable
        for (int unsigned i = ROW; i < ROW_END; i++) begin
          // verilator unroll_disable
          for (int unsigned j = COLUMN; j < COLUMN_END; j++) begin
            if (valid[i+j] && (i == 0 || !single[i+j])) begin
              // verilator unroll_disable
              for (int unsigned p = 0; p < P; p++) begin
                // A 32-bit word, then its half: a simulator reads that faster than 16 bits at any place.
                product[(i*MLEN+p*BLEN+j)*32+:32] <= plena_fp::bf16_mul_f32(
                    half(
                        a[((BLEN-1-j)*MLEN+p*BLEN+i)/2*32+:32], i[0]
                    ),
                    half(
                        b[((BLEN-1-i)*MLEN+p*BLEN+j)/2*32+:32], j[0])
                );
              end
            end
            if (valid[i+j+1] && !single[i+j+1]) begin
              if (bank[i+j+1]) begin
                // verilator unroll_disable
                for (int unsigned p = 0; p < P; p++) begin
                  sum1[(i*MLEN+p*BLEN+j)*32+:32] <= next_sum(
                      i == 0 && single[i+j+1],
                      bank[i+j+1],
                      fresh[i+j+1],
                      single1[(p*BLEN+j)*32+:32],
                      single0[(p*BLEN+j)*32+:32],
                      sum1[(i*MLEN+p*BLEN+j)*32+:32],
                      sum0[(i*MLEN+p*BLEN+j)*32+:32],
                      product[(i*MLEN+p*BLEN+j)*32+:32]
                  );
                end
              end else begin
                // verilator unroll_disable
                for (int unsigned p = 0; p < P; p++) begin
                  sum0[(i*MLEN+p*BLEN+j)*32+:32] <= next_sum(
                      i == 0 && single[i+j+1],
                      bank[i+j+1],
                      fresh[i+j+1],
                      single1[(p*BLEN+j)*32+:32],
                      single0[(p*BLEN+j)*32+:32],
                      sum1[(i*MLEN+p*BLEN+j)*32+:32],
                      sum0[(i*MLEN+p*BLEN+j)*32+:32],
                      product[(i*MLEN+p*BLEN+j)*32+:32]
                  );
                end
              end
            end
          end
        end
      end
    end
  end

  // Row 0 again, for its banks of one row; with the same operands, hence with the same adders.
  always_ff @(posedge clk) begin
    if (step && (valid & single) != '0) begin
      // verilator unroll_disable
      for (int unsigned j = 0; j < BLEN; j++) begin
        if (valid[j+1] && single[j+1]) begin
          if (bank[j+1]) begin
            // verilator unroll_disable
            for (int unsigned p = 0; p < P; p++) begin
              single1[(p*BLEN+j)*32+:32] <= next_sum(
                  single[j+1],
                  bank[j+1],
                  fresh[j+1],
                  single1[(p*BLEN+j)*32+:32],
                  single0[(p*BLEN+j)*32+:32],
                  sum1[(p*BLEN+j)*32+:32],
                  sum0[(p*BLEN+j)*32+:32],
                  product[(p*BLEN+j)*32+:32]
              );
            end
          end else begin
            // verilator unroll_disable
            for (int unsigned p = 0; p < P; p++) begin
              single0[(p*BLEN+j)*32+:32] <= next_sum(
                  single[j+1],
                  bank[j+1],
                  fresh[j+1],
                  single1[(p*BLEN+j)*32+:32],
                  single0[(p*BLEN+j)*32+:32],
                  sum1[(p*BLEN+j)*32+:32],
                  sum0[(p*BLEN+j)*32+:32],
                  product[(p*BLEN+j)*32+:32]
              );
            end
          end
        end
      end
    end
  end

  always_ff @(posedge clk) begin
    row_valid <= !rst && advance && drain;
    if (advance && drain)
      row_data <= drain_zero ? '0 :
          drain_single ? (drain_bank ? single1 : single0) :
          drain_bank ? sum1[drain_row*RW+:RW] : sum0[drain_row*RW+:RW];
  end
endmodule

`default_nettype wire
