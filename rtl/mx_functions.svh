// Conversion between bf16 and the elements of HBM, as pure functions; included in a module that has the parameter ELEMENT.
// Combinational; one element (or one block's scale) a call.
// Specified in docs/isa.md, "Numbers"; the formats are those of plena_ref/isa/formats.py, explained in docs/arithmetic.md.
`include "mx_format.svh"

// element * 2^(scale-127) in bf16; subnormal results are zero, overflow is infinity.
function automatic logic [15:0] mx_decode(input logic [7:0] elem, input logic [7:0] scale);
  logic [6:0] frac;
  logic [9:0] e;
  if (elem[MX_MANTISSA_W+:MX_EXPONENT_W] != '0) begin
    frac = {elem[MX_MANTISSA_W-1:0], {(7 - MX_MANTISSA_W) {1'b0}}};
    e    = 10'(elem[MX_MANTISSA_W+:MX_EXPONENT_W]);
  end else begin
    // subnormal element: brought to the form 1.f by its highest bit
    frac = 7'd0;
    e    = 10'd0;
    for (int k = 0; k < MX_MANTISSA_W; k++) begin
      if (elem[k]) begin
        frac = 7'(elem[MX_MANTISSA_W-1:0]) << (7 - k);
        e    = 10'(k - MX_MANTISSA_W + MX_SUBNORMAL);
      end
    end
  end
  e = e + {2'd0, scale} - MX_BIAS;
  if (scale == plena_pkg::MX_SCALE_NAN || elem[6:0] >= MX_FIRST_NAN) mx_decode = 16'h7fc0;
  else if (elem[6:0] > MX_LARGEST) mx_decode = {elem[7], 15'h7f80};
  else if (elem[6:0] == 7'd0 || e[9] || e == 10'd0) mx_decode = {elem[7], 15'd0};
  else if (e >= 10'd255) mx_decode = {elem[7], 15'h7f80};
  else mx_decode = {elem[7], e[7:0], frac};
endfunction

// verilator lint_off UNUSEDSIGNAL
// (bit 15 of amax: callers hold magnitudes as whole bf16 words)
// Scale byte of a block: 127 + ceil(log2(amax/largest)), clamped at 0; by PLENA's rules 127 + floor(log2(amax + 1e-9)).
// amax is the largest flushed magnitude (bit 15 is ignored); special means that the block holds NaN or infinity.
function automatic logic [7:0] mx_scale(input logic [15:0] amax, input logic special);
  logic [ 8:0] s;
  logic [16:0] sum;
  sum = 17'd0;
  if (MX_PLENA) begin
    // 1e-9 is 274.88 * 2^-38: from 2^-22 on the sum stays in its binade, below 2^-31 it is that of 1e-9
    sum = 17'd274;
    if (amax[14:7] >= 8'd96) sum = sum + (17'({1'b1, amax[6:0]}) << (amax[14:7] - 8'd96));
    s = {1'b0, amax[14:7]};
    if (amax[14:7] <= 8'd104) for (int k = 8; k < 17; k++) if (sum[k]) s = 9'(k + 89);
  end else s = {1'b0, amax[14:7]} + {8'd0, amax[6:0] > MX_LARGEST_FRACTION} - MX_LARGEST_EXPONENT;
  if (special) mx_scale = plena_pkg::MX_SCALE_NAN;
  else mx_scale = s[8] ? 8'd0 : s[7:0];
endfunction
// verilator lint_on UNUSEDSIGNAL

// x / 2^(scale-127) as an element, nearest even; larger than the largest gives that; NaN of the scale, NaN and
// infinity give the element's NaN. By PLENA's rules bits below a quarter of the last place are dropped first, and the
// mantissa saturates instead of carrying into the exponent field.
function automatic logic [7:0] mx_encode(input logic [15:0] x, input logic [7:0] scale);
  logic [9:0] e;
  logic [9:0] base;
  logic [9:0] low;
  logic [2:0] shift;
  logic [14:0] wide;
  logic subnormal;
  logic up;
  logic [MX_MANTISSA_W+1:0] steps;
  logic [12:0] r;
  e   = {2'd0, x[14:7]} - {2'd0, scale} + MX_BIAS;
  low = 10'(MX_SUBNORMAL) - e;
  // below the normal range the significand moves right and the exponent field stays 0
  subnormal = e[9] || e == 10'd0;
  if (subnormal) begin
    base  = 10'd0;
    shift = (low > 10'd7) ? 3'd7 : low[2:0];
  end else begin
    base  = e - 10'd1;
    shift = 3'd0;
  end
  wide = {1'b1, x[6:0], 7'd0} >> shift;
  // the hidden bit adds 1 to the exponent field, a rounding carry does the same
  if (MX_PLENA) begin
    up = wide[13-MX_MANTISSA_W] & (wide[12-MX_MANTISSA_W] | wide[14-MX_MANTISSA_W]);
    steps = {1'b0, wide[14-:MX_MANTISSA_W+1]} + {{(MX_MANTISSA_W + 1) {1'b0}}, up};
    if (subnormal ? steps[MX_MANTISSA_W+:2] != 2'd0 : steps[MX_MANTISSA_W+1])
      steps = {1'b0, !subnormal, {MX_MANTISSA_W{1'b1}}};
    r = (13'(base) << MX_MANTISSA_W) + 13'(steps);
  end else begin
    up = |wide[12-MX_MANTISSA_W:0] | wide[14-MX_MANTISSA_W];
    up = up & wide[13-MX_MANTISSA_W];
    r  = (13'(base) << MX_MANTISSA_W) + 13'(wide[14-:MX_MANTISSA_W+1]) + {12'd0, up};
  end
  if (scale == plena_pkg::MX_SCALE_NAN || x[14:7] == 8'hff) mx_encode = {1'b0, MX_NAN};
  else if (x[14:7] == 8'd0) mx_encode = {x[15], 7'd0};
  else if (r > 13'(MX_LARGEST)) mx_encode = {x[15], MX_LARGEST};
  else mx_encode = {x[15], r[6:0]};
endfunction
