// plena_mx: conversion between bf16 and MXFP8 (E4M3 elements, E8M0 scales) as pure functions.
// Combinational; one element (or one block's scale) a call.
// Specified in docs/isa.md section 7 (OCP MX formats), explained in docs/arithmetic.md.
`timescale 1ns / 1ps
`default_nettype none

package plena_mx;

  // element * 2^(scale-127) in bf16; subnormal results are zero, overflow is infinity.
  function automatic logic [15:0] mx_decode(input logic [7:0] elem, input logic [7:0] scale);
    logic [6:0] frac;
    logic [9:0] e;
    if (elem[6:3] != 4'd0) begin
      frac = {elem[2:0], 4'd0};
      e    = {6'd0, elem[6:3]};
    end else begin
      // subnormal element m * 2^-9, brought to the form 1.f: m = 4..7, 2..3, 1 have exponents 0, -1, -2
      frac = elem[2] ? {elem[1:0], 5'd0} : elem[1] ? {elem[0], 6'd0} : 7'd0;
      e    = elem[2] ? 10'd0 : elem[1] ? 10'h3ff : 10'h3fe;
    end
    e = e + {2'd0, scale} - 10'd7;
    if (scale == 8'hff || elem[6:0] == 7'h7f) mx_decode = 16'h7fc0;
    else if (elem[6:0] == 7'd0 || e[9] || e == 10'd0) mx_decode = {elem[7], 15'd0};
    else if (e >= 10'd255) mx_decode = {elem[7], 15'h7f80};
    else mx_decode = {elem[7], e[7:0], frac};
  endfunction

  // verilator lint_off UNUSEDSIGNAL
  // (bit 15 of amax: callers hold magnitudes as whole bf16 words)
  // Scale byte of a block: 127 + ceil(log2(amax/448)), clamped at 0. amax is the largest flushed magnitude
  // (bit 15 is ignored); special means that the block holds NaN or infinity.
  function automatic logic [7:0] mx_scale(input logic [15:0] amax, input logic special);
    logic [8:0] s;
    s = {1'b0, amax[14:7]} + {8'd0, amax[6:0] > 7'h60} - 9'd8;
    if (special) mx_scale = 8'hff;
    else mx_scale = s[8] ? 8'd0 : s[7:0];
  endfunction
  // verilator lint_on UNUSEDSIGNAL

  // x / 2^(scale-127) as E4M3, nearest even; larger than 448 gives 448; scale FF, NaN and infinity give 7F.
  function automatic logic [7:0] mx_encode(input logic [15:0] x, input logic [7:0] scale);
    logic [9:0] e;
    logic [9:0] base;
    logic [9:0] low;
    logic [2:0] shift;
    logic [14:0] wide;
    logic up;
    logic [12:0] r;
    e   = {2'd0, x[14:7]} - {2'd0, scale} + 10'd7;
    low = 10'd1 - e;
    // below the normal range the significand moves right and the exponent field stays 0
    if (e[9] || e == 10'd0) begin
      base  = 10'd0;
      shift = (low > 10'd7) ? 3'd7 : low[2:0];
    end else begin
      base  = e - 10'd1;
      shift = 3'd0;
    end
    wide = {1'b1, x[6:0], 7'd0} >> shift;
    up   = wide[10] & (wide[11] | (|wide[9:0]));
    // the hidden bit adds 1 to the exponent field, a rounding carry does the same
    r    = {base, 3'd0} + {9'd0, wide[14:11]} + {12'd0, up};
    if (scale == 8'hff || x[14:7] == 8'hff) mx_encode = 8'h7f;
    else if (x[14:7] == 8'd0) mx_encode = {x[15], 7'd0};
    else if (r > 13'h7e) mx_encode = {x[15], 7'h7e};
    else mx_encode = {x[15], r[6:0]};
  endfunction

endpackage

`default_nettype wire
