// plena_fp: bf16 and f32 arithmetic of the machine as pure functions.
// Combinational; exp, reciprocal and square root come as three stages to be registered by the caller.
// Specified in docs/isa.md, "Numbers", explained in docs/arithmetic.md.
`timescale 1ns / 1ps
`default_nettype none

package plena_fp;

  localparam logic [15:0] BF16_NAN = 16'h7fc0;
  localparam logic [31:0] F32_NAN = 32'h7fc0_0000;

  // Bits between sfu_s1 and sfu_s2: kind 2, exponent 10 (signed, biased), sign 1, fraction 24.
  localparam int SFU1_W = 37;
  // Bits between sfu_s2 and sfu_s3: kind 2, exponent 10, sign 1, coarse factor 22, fine factor 17.
  localparam int SFU2_W = 52;

  // Operations of sfu_s1; the kind field of the stages adds SFU_KNOWN (the result itself travels).
  localparam logic [1:0] SFU_EXP = 2'd0;
  localparam logic [1:0] SFU_RECI = 2'd1;
  localparam logic [1:0] SFU_SQRT = 2'd2;
  localparam logic [1:0] SFU_KNOWN = 2'd3;

  // verilog_format: off  (tables written by scripts/gen_float_tables.py)
  // log2(e), 24 fraction bits
  localparam logic [24:0] LOG2E = 25'h1715476;

  // 2^(i/32) - 1, 22 fraction bits, i = 0..31
  localparam logic [703:0] EXP_COARSE = {
    22'h3d41d9, 22'h3a92bf, 22'h37f25d, 22'h356063, 22'h32dc83, 22'h30666f, 22'h2dfddc, 22'h2ba27e,
    22'h29540f, 22'h271246, 22'h24dcdf, 22'h22b395, 22'h209626, 22'h1e8452, 22'h1c7dd8, 22'h1a827a,
    22'h1891fb, 22'h16ac1f, 22'h14d0ad, 22'h12ff6b, 22'h113822, 22'h0f7a99, 22'h0dc69d, 22'h0c1bf8,
    22'h0a7a78, 22'h08e1ea, 22'h07521d, 22'h05cae1, 22'h044c07, 22'h02d562, 22'h0166c3, 22'h000000
  };

  // 2^(j/1024) - 1, 22 fraction bits, j = 0..31
  localparam logic [543:0] EXP_FINE = {
    17'h15b6f, 17'h1501d, 17'h144cc, 17'h1397e, 17'h12e31, 17'h122e7, 17'h1179e, 17'h10c58,
    17'h10113, 17'h0f5d0, 17'h0ea90, 17'h0df51, 17'h0d414, 17'h0c8d9, 17'h0bda0, 17'h0b269,
    17'h0a734, 17'h09c01, 17'h090d0, 17'h085a0, 17'h07a73, 17'h06f48, 17'h0641e, 17'h058f7,
    17'h04dd1, 17'h042ad, 17'h0378c, 17'h02c6c, 17'h0214e, 17'h01632, 17'h00b18, 17'h00000
  };

  // slope of 2^g from g = j/1024 to (j+1)/1024, 10 fraction bits
  localparam logic [319:0] EXP_SLOPE = {
    10'h2d5, 10'h2d5, 10'h2d4, 10'h2d4, 10'h2d3, 10'h2d3, 10'h2d2, 10'h2d2,
    10'h2d1, 10'h2d1, 10'h2d0, 10'h2d0, 10'h2cf, 10'h2cf, 10'h2ce, 10'h2ce,
    10'h2cd, 10'h2cd, 10'h2cc, 10'h2cc, 10'h2cb, 10'h2cb, 10'h2ca, 10'h2ca,
    10'h2c9, 10'h2c9, 10'h2c8, 10'h2c8, 10'h2c7, 10'h2c7, 10'h2c7, 10'h2c6
  };

  // fraction of 2 / 1.m rounded to bf16, m = 0..127
  localparam logic [895:0] RECI_FRAC = {
    7'h01, 7'h01, 7'h02, 7'h02, 7'h03, 7'h03, 7'h04, 7'h04, 7'h05, 7'h05,
    7'h06, 7'h06, 7'h07, 7'h07, 7'h08, 7'h09, 7'h09, 7'h0a, 7'h0a, 7'h0b,
    7'h0b, 7'h0c, 7'h0d, 7'h0d, 7'h0e, 7'h0e, 7'h0f, 7'h10, 7'h10, 7'h11,
    7'h12, 7'h12, 7'h13, 7'h14, 7'h14, 7'h15, 7'h16, 7'h16, 7'h17, 7'h18,
    7'h18, 7'h19, 7'h1a, 7'h1b, 7'h1b, 7'h1c, 7'h1d, 7'h1e, 7'h1e, 7'h1f,
    7'h20, 7'h21, 7'h21, 7'h22, 7'h23, 7'h24, 7'h25, 7'h25, 7'h26, 7'h27,
    7'h28, 7'h29, 7'h2a, 7'h2b, 7'h2c, 7'h2c, 7'h2d, 7'h2e, 7'h2f, 7'h30,
    7'h31, 7'h32, 7'h33, 7'h34, 7'h35, 7'h36, 7'h37, 7'h38, 7'h39, 7'h3a,
    7'h3b, 7'h3c, 7'h3d, 7'h3f, 7'h40, 7'h41, 7'h42, 7'h43, 7'h44, 7'h45,
    7'h47, 7'h48, 7'h49, 7'h4a, 7'h4c, 7'h4d, 7'h4e, 7'h4f, 7'h51, 7'h52,
    7'h53, 7'h55, 7'h56, 7'h58, 7'h59, 7'h5a, 7'h5c, 7'h5d, 7'h5f, 7'h60,
    7'h62, 7'h64, 7'h65, 7'h67, 7'h68, 7'h6a, 7'h6c, 7'h6d, 7'h6f, 7'h71,
    7'h73, 7'h75, 7'h76, 7'h78, 7'h7a, 7'h7c, 7'h7e, 7'h00
  };

  // fraction of sqrt(1.m), then of sqrt(2 * 1.m)
  localparam logic [1791:0] SQRT_FRAC = {
    7'h7f, 7'h7f, 7'h7e, 7'h7e, 7'h7d, 7'h7d, 7'h7c, 7'h7c, 7'h7b, 7'h7b,
    7'h7a, 7'h7a, 7'h79, 7'h79, 7'h78, 7'h78, 7'h77, 7'h77, 7'h76, 7'h76,
    7'h75, 7'h75, 7'h74, 7'h74, 7'h73, 7'h73, 7'h72, 7'h72, 7'h71, 7'h71,
    7'h70, 7'h6f, 7'h6f, 7'h6e, 7'h6e, 7'h6d, 7'h6d, 7'h6c, 7'h6c, 7'h6b,
    7'h6b, 7'h6a, 7'h6a, 7'h69, 7'h68, 7'h68, 7'h67, 7'h67, 7'h66, 7'h66,
    7'h65, 7'h65, 7'h64, 7'h63, 7'h63, 7'h62, 7'h62, 7'h61, 7'h61, 7'h60,
    7'h5f, 7'h5f, 7'h5e, 7'h5e, 7'h5d, 7'h5d, 7'h5c, 7'h5b, 7'h5b, 7'h5a,
    7'h5a, 7'h59, 7'h58, 7'h58, 7'h57, 7'h57, 7'h56, 7'h55, 7'h55, 7'h54,
    7'h54, 7'h53, 7'h52, 7'h52, 7'h51, 7'h51, 7'h50, 7'h4f, 7'h4f, 7'h4e,
    7'h4e, 7'h4d, 7'h4c, 7'h4c, 7'h4b, 7'h4a, 7'h4a, 7'h49, 7'h48, 7'h48,
    7'h47, 7'h47, 7'h46, 7'h45, 7'h45, 7'h44, 7'h43, 7'h43, 7'h42, 7'h41,
    7'h41, 7'h40, 7'h3f, 7'h3f, 7'h3e, 7'h3d, 7'h3d, 7'h3c, 7'h3b, 7'h3b,
    7'h3a, 7'h39, 7'h39, 7'h38, 7'h37, 7'h36, 7'h36, 7'h35, 7'h35, 7'h34,
    7'h34, 7'h34, 7'h33, 7'h33, 7'h33, 7'h32, 7'h32, 7'h31, 7'h31, 7'h31,
    7'h30, 7'h30, 7'h30, 7'h2f, 7'h2f, 7'h2f, 7'h2e, 7'h2e, 7'h2d, 7'h2d,
    7'h2d, 7'h2c, 7'h2c, 7'h2c, 7'h2b, 7'h2b, 7'h2a, 7'h2a, 7'h2a, 7'h29,
    7'h29, 7'h29, 7'h28, 7'h28, 7'h27, 7'h27, 7'h27, 7'h26, 7'h26, 7'h26,
    7'h25, 7'h25, 7'h24, 7'h24, 7'h24, 7'h23, 7'h23, 7'h22, 7'h22, 7'h22,
    7'h21, 7'h21, 7'h20, 7'h20, 7'h20, 7'h1f, 7'h1f, 7'h1e, 7'h1e, 7'h1e,
    7'h1d, 7'h1d, 7'h1c, 7'h1c, 7'h1c, 7'h1b, 7'h1b, 7'h1a, 7'h1a, 7'h19,
    7'h19, 7'h19, 7'h18, 7'h18, 7'h17, 7'h17, 7'h17, 7'h16, 7'h16, 7'h15,
    7'h15, 7'h14, 7'h14, 7'h14, 7'h13, 7'h13, 7'h12, 7'h12, 7'h11, 7'h11,
    7'h10, 7'h10, 7'h10, 7'h0f, 7'h0f, 7'h0e, 7'h0e, 7'h0d, 7'h0d, 7'h0c,
    7'h0c, 7'h0b, 7'h0b, 7'h0b, 7'h0a, 7'h0a, 7'h09, 7'h09, 7'h08, 7'h08,
    7'h07, 7'h07, 7'h06, 7'h06, 7'h05, 7'h05, 7'h04, 7'h04, 7'h03, 7'h03,
    7'h02, 7'h02, 7'h01, 7'h01, 7'h00, 7'h00
  };
  // verilog_format: on

  // Zero of the same sign for a subnormal, the one NaN for any NaN, else x itself.
  function automatic logic [15:0] bf16_flush(input logic [15:0] x);
    if (x[14:7] == 8'd0) bf16_flush = {x[15], 15'd0};
    else if (x[14:0] > 15'h7f80) bf16_flush = BF16_NAN;
    else bf16_flush = x;
  endfunction

  // Widen to f32, flushed and with the one NaN.
  function automatic logic [31:0] bf16_to_f32(input logic [15:0] x);
    bf16_to_f32 = {bf16_flush(x), 16'd0};
  endfunction

  // Round to nearest even; subnormals become zero first, overflow becomes infinity.
  function automatic logic [15:0] f32_to_bf16(input logic [31:0] x);
    logic up;
    up = x[15] & (x[16] | (|x[14:0]));
    if (x[30:23] == 8'd0) f32_to_bf16 = {x[31], 15'd0};
    else if (x[30:0] > 31'h7f80_0000) f32_to_bf16 = BF16_NAN;
    else f32_to_bf16 = x[31:16] + {15'd0, up};
  endfunction

  // Addition and multiplication are written as selections between values, all in words of 32 bits, so that a simulator's C++
  // compiler turns a loop over lanes into vector instructions, as many lanes at a time as words fit (a variable of one bit
  // would be a byte to it, and ask for four times the lanes); bits that nothing reads cost no gates.
  // verilator lint_off UNUSEDSIGNAL

  // IEEE 754 addition, nearest even, with subnormal operands and results taken as zero.
  // Order by magnitude, align with guard, round and sticky bits, add, normalise in five steps, round.
  function automatic logic [31:0] f32_add(input logic [31:0] a, input logic [31:0] b);
    logic [31:0] big;
    logic [31:0] sml;
    logic [31:0] sub;
    logic [31:0] gap;
    logic [31:0] wide;
    logic [31:0] addend;
    logic [31:0] sum;
    logic [31:0] e;
    logic [31:0] rounded;
    logic [31:0] special;

    big = (a[30:0] < b[30:0]) ? b : a;
    sml = (a[30:0] < b[30:0]) ? a : b;
    sub = {31'd0, a[31] ^ b[31]};

    // significands with their leading bit at bit 26; what the alignment loses is or-ed into bit 0
    gap = {24'd0, big[30:23]} - {24'd0, sml[30:23]};
    gap = (gap > 32'd31) ? 32'd31 : gap;
    wide = (sml[30:23] == 8'd0) ? 32'd0 : {6'b000001, sml[22:0], 3'd0};
    addend = wide >> gap[4:0];
    addend = addend | {31'd0, (wide & ~(32'hffff_ffff << gap[4:0])) != 32'd0};
    sum = {6'b000001, big[22:0], 3'd0} + (addend ^ {32{sub[0]}}) + sub;

    // leading bit to bit 31; without one (sum zero) bit 31 stays 0
    sum = sum << 4;
    e = {24'd0, big[30:23]} + 32'd1;
    e = (sum[31:16] == 16'd0) ? e - 32'd16 : e;
    sum = (sum[31:16] == 16'd0) ? sum << 16 : sum;
    e = (sum[31:24] == 8'd0) ? e - 32'd8 : e;
    sum = (sum[31:24] == 8'd0) ? sum << 8 : sum;
    e = (sum[31:28] == 4'd0) ? e - 32'd4 : e;
    sum = (sum[31:28] == 4'd0) ? sum << 4 : sum;
    e = (sum[31:30] == 2'd0) ? e - 32'd2 : e;
    sum = (sum[31:30] == 2'd0) ? sum << 2 : sum;
    e = sum[31] ? e : e - 32'd1;
    sum = sum[31] ? sum : sum << 1;
    rounded = {e[8:0], sum[30:8]} + {31'd0, sum[7] & (sum[8] | (sum[6:0] != 7'd0))};

    // what is not ordinary: zero, or outside of the exponents 1..254 (operands that are zero included), or infinity and NaN
    special = (e[9] || e[8:0] == 9'd0) ? 32'd0 : 32'h7f80_0000;
    special = sum[31] ? {big[31], special[30:0]} : 32'd0;
    special = (big[30:23] == 8'd0) ? {a[31] & b[31], 31'd0} : special;
    special = (big[30:23] == 8'hff) ? big : special;
    special = (big[30:0] > 31'h7f80_0000) ? F32_NAN : special;
    special = (sub[0] && sml[30:0] == 31'h7f80_0000) ? F32_NAN : special;
    f32_add = (sum[31] && big[30:23] != 8'hff && (rounded[31:23] - 9'd1) < 9'd254) ?
        {big[31], rounded[30:0]} : special;
  endfunction

  // Product of two bf16, exact in f32 (16 significant bits), flushed. They come in the lower halves of words.
  function automatic logic [31:0] bf16_mul_f32(input logic [31:0] a, input logic [31:0] b);
    logic [31:0] x;
    logic [31:0] y;
    logic [31:0] sign;
    logic [31:0] p;
    logic [31:0] e;
    logic [31:0] finite;
    logic [31:0] big;
    x = {17'd0, a[14:0]};
    y = {17'd0, b[14:0]};
    sign = {a[15] ^ b[15], 31'd0};
    p = {24'd0, 1'b1, x[6:0]} * {24'd0, 1'b1, y[6:0]};
    e = {24'd0, x[14:7]} + {24'd0, y[14:7]} + {31'd0, p[15]} - 32'd127;
    // exponent of the product: 1..254, or else zero and below or infinity
    finite = {1'b0, e[7:0], p[15] ? p[14:0] : {p[13:0], 1'b0}, 8'd0};
    finite = (e[9:0] > 10'd254) ? 32'h7f80_0000 : finite;
    finite = (e[9] || e[9:0] == 10'd0 || x[14:7] == 8'd0 || y[14:7] == 8'd0) ? 32'd0 : finite;
    // infinity, but NaN times zero; or NaN
    big = (x > y) ? x : y;
    finite = (big[14:7] != 8'hff) ? finite :
        (big[14:0] > 15'h7f80 || x[14:7] == 8'd0 || y[14:7] == 8'd0) ? F32_NAN : 32'h7f80_0000;
    bf16_mul_f32 = (finite == F32_NAN) ? F32_NAN : sign | finite;
  endfunction
  // verilator lint_on UNUSEDSIGNAL

  // a + b: one f32 addition, one rounding.
  function automatic logic [15:0] bf16_add(input logic [15:0] a, input logic [15:0] b);
    bf16_add = f32_to_bf16(f32_add({a, 16'd0}, {b, 16'd0}));
  endfunction

  // a - b: one f32 addition, one rounding.
  function automatic logic [15:0] bf16_sub(input logic [15:0] a, input logic [15:0] b);
    bf16_sub = f32_to_bf16(f32_add({a, 16'd0}, {~b[15], b[14:0], 16'd0}));
  endfunction

  // a * b: one exact f32 product, one rounding.
  function automatic logic [15:0] bf16_mul(input logic [15:0] a, input logic [15:0] b);
    bf16_mul = f32_to_bf16(bf16_mul_f32({16'd0, a}, {16'd0, b}));
  endfunction

  // Unsigned key of a flushed value that orders as the value does, with -0 below +0.
  function automatic logic [15:0] bf16_key(input logic [15:0] x);
    bf16_key = x[15] ? ~x : {1'b1, x[14:0]};
  endfunction

  // Larger of the two; any NaN gives NaN; +0 > -0.
  function automatic logic [15:0] bf16_max(input logic [15:0] a, input logic [15:0] b);
    logic [15:0] fa;
    logic [15:0] fb;
    fa = bf16_flush(a);
    fb = bf16_flush(b);
    if (fa == BF16_NAN || fb == BF16_NAN) bf16_max = BF16_NAN;
    else bf16_max = (bf16_key(fa) > bf16_key(fb)) ? fa : fb;
  endfunction

  // Smaller of the two; any NaN gives NaN; -0 < +0.
  function automatic logic [15:0] bf16_min(input logic [15:0] a, input logic [15:0] b);
    logic [15:0] fa;
    logic [15:0] fb;
    fa = bf16_flush(a);
    fb = bf16_flush(b);
    if (fa == BF16_NAN || fb == BF16_NAN) bf16_min = BF16_NAN;
    else bf16_min = (bf16_key(fa) < bf16_key(fb)) ? fa : fb;
  endfunction

  // Stage 1 of exp, reciprocal, square root: special values, exponent, and for exp x * log2(e) as
  // integer (exponent field) and 24-bit fraction.
  function automatic logic [SFU1_W-1:0] sfu_s1(input logic [1:0] op, input logic [15:0] x);
    logic is_nan;
    logic is_inf;
    logic is_zero;
    logic is_known;
    logic [15:0] value;
    logic [9:0] e;
    logic [23:0] frac;
    logic [4:0] down;
    logic [32:0] product;
    logic [32:0] y;

    is_nan = x[14:0] > 15'h7f80;
    is_inf = x[14:0] == 15'h7f80;
    is_zero = x[14:7] == 8'd0;

    down = 5'd6 - x[11:7];  // 134 - exponent, 1..16 where it matters
    product = {25'd0, 1'b1, x[6:0]} * {8'd0, LOG2E};
    y = product >> down;
    if (x[15]) y = ~y + 33'd1;

    if (op == SFU_EXP) begin
      is_known = is_nan || x[14:7] >= 8'd134 || x[14:7] < 8'd118;
      if (is_nan) value = BF16_NAN;
      else if (x[14:7] < 8'd118) value = 16'h3f80;
      else value = x[15] ? 16'd0 : 16'h7f80;
      e = {y[32], y[32:24]} + 10'd127;
      frac = y[23:0];
    end else if (op == SFU_RECI) begin
      is_known = is_nan || is_inf || is_zero;
      value = is_nan ? BF16_NAN : is_inf ? {x[15], 15'd0} : {x[15], 15'h7f80};
      e = 10'd253 + {9'd0, x[6:0] == 7'd0} - {2'd0, x[14:7]};
      frac = {16'd0, 1'b0, x[6:0]};
    end else begin
      is_known = is_nan || is_inf || is_zero || x[15];
      value = is_zero ? {x[15], 15'd0} : (is_nan || x[15]) ? BF16_NAN : 16'h7f80;
      e = {3'd0, x[14:8]} + {9'd0, x[7]} + 10'd63;
      frac = {16'd0, ~x[7], x[6:0]};
    end

    if (is_known) sfu_s1 = {SFU_KNOWN, 10'd0, 1'b0, 8'd0, value};
    else sfu_s1 = {op, e, x[15] & (op == SFU_RECI), frac};
  endfunction

  // Stage 2: table look-ups; for exp 2^fraction = (1 + coarse) * (1 + fine), where the fine factor is
  // interpolated linearly.
  function automatic logic [SFU2_W-1:0] sfu_s2(input logic [SFU1_W-1:0] s);
    logic [ 1:0] kind;
    logic [23:0] frac;
    logic [ 4:0] i;
    logic [ 4:0] j;
    logic [16:0] rise;
    logic [38:0] payload;
    kind = s[36:35];
    frac = s[23:0];
    i = frac[23:19];
    j = frac[18:14];
    rise = 17'(({10'd0, frac[13:0]} * {14'd0, EXP_SLOPE[j*10+:10]}) >> 12);
    if (kind == SFU_EXP) begin
      payload = {EXP_COARSE[i*22+:22], EXP_FINE[j*17+:17] + rise};
    end else if (kind == SFU_RECI) begin
      payload = {32'd0, RECI_FRAC[frac[6:0]*7+:7]};
    end else if (kind == SFU_SQRT) begin
      payload = {32'd0, SQRT_FRAC[frac[7:0]*7+:7]};
    end else begin
      payload = {15'd0, frac};
    end
    sfu_s2 = {s[36:24], payload};
  endfunction

  // Stage 3: the product of exp, rounding, overflow and underflow, packing.
  function automatic logic [15:0] sfu_s3(input logic [SFU2_W-1:0] s);
    logic [1:0] kind;
    logic sign;
    logic [9:0] e;
    logic [7:0] top;
    logic [15:0] r;
    kind = s[51:50];
    e = s[49:40];
    sign = s[39];
    // 7 fraction bits and the rounding bit of (1 + coarse) * (1 + fine), which is less than 2
    top = 8'(({23'd0, 1'b1, s[38:17]} * {23'd0, 1'b1, 5'd0, s[16:0]}) >> 36);
    if (kind == SFU_EXP) r = {e[8:0], top[7:1]} + {15'd0, top[0]};
    else r = {e[8:0], s[6:0]};
    if (kind == SFU_KNOWN) sfu_s3 = s[15:0];
    else if (e[9] || e == 10'd0) sfu_s3 = {sign, 15'd0};
    else if (r[15:7] >= 9'd255) sfu_s3 = {sign, 15'h7f80};
    else sfu_s3 = {sign, r[14:0]};
  endfunction

endpackage

`default_nettype wire
