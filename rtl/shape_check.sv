// shape_check: ends a simulation at once whose machine has a shape that cannot be.
// Looks at parameters only: no logic, no timing.
// Specified in plena_ref/machine/hardware.py, which names the rules and their limits in the same words.
`timescale 1ns / 1ps
`default_nettype none

module shape_check #(
    `include "shape_parameters.svh"
    parameter int ELEMENT        = 0,  // element format of HBM
    parameter int LOOP_DEPTH     = 8,  // loops that may nest
    parameter int DISPATCH_WIDTH = 2   // instructions dispatched a cycle at most
);
  `include "mx_format.svh"

  localparam int MEMORY_ELEMS = 1 << 29;  // most elements of VRAM and of MSRAM
  localparam int ROWS = VRAM_ELEMS / MLEN;
  localparam int MOST_ROWS = ROWS < 65535 ? ROWS : 65535;  // of a transfer

  initial begin
    if (MLEN < 8 || MLEN > 256 || (MLEN & (MLEN - 1)) != 0)
      $fatal(1, "MLEN=%0d must be a power of two from 8 to 256", MLEN);
    if (BLEN < 4 || BLEN > MLEN || (BLEN & (BLEN - 1)) != 0)
      $fatal(1, "BLEN=%0d must be a power of two from 4 to MLEN=%0d", BLEN, MLEN);
    if (HLEN < 1 || HLEN > MLEN || (HLEN & (HLEN - 1)) != 0 || MLEN / HLEN > 32)
      $fatal(1, "HLEN=%0d must be a power of two up to MLEN=%0d, at most 32 lanes", HLEN, MLEN);
    if (MX_BLOCK < 8 || MX_BLOCK > 64 || MX_BLOCK > MLEN || (MX_BLOCK & (MX_BLOCK - 1)) != 0)
      $fatal(
          1, "MX_BLOCK=%0d must be a power of two from 8 to 64, MLEN=%0d at most", MX_BLOCK, MLEN
      );
    if (ELEMENT < 0 || ELEMENT >= MX_FORMATS)
      $fatal(1, "ELEMENT=%0d must lie in 0..%0d", ELEMENT, MX_FORMATS - 1);
    if (HBM_BF16 < 0 || HBM_BF16 > 15) $fatal(1, "HBM_BF16=%0d must have 4 bits", HBM_BF16);
    if (LOOP_DEPTH < 1 || LOOP_DEPTH > 255)
      $fatal(1, "LOOP_DEPTH=%0d must lie in 1..255", LOOP_DEPTH);
    if (DISPATCH_WIDTH < 1 || DISPATCH_WIDTH > 2)
      $fatal(1, "DISPATCH_WIDTH=%0d must be 1 or 2", DISPATCH_WIDTH);
    if (VRAM_ELEMS < 1 || VRAM_ELEMS % (8 * MLEN) != 0 || VRAM_ELEMS > MEMORY_ELEMS)
      $fatal(1, "VRAM_ELEMS=%0d must be a positive multiple of 8 rows, at most 2^29", VRAM_ELEMS);
    if (MSRAM_TILES < 1 || MSRAM_TILES > MEMORY_ELEMS / (MLEN * MLEN))
      $fatal(1, "MSRAM_TILES=%0d must be positive, at most 2^29 elements", MSRAM_TILES);
    if (FP_WORDS < 1 || FP_WORDS % (2 * MLEN) != 0 || FP_WORDS > 1 << 24)
      $fatal(1, "FP_WORDS=%0d must be a positive multiple of 2*MLEN, at most 2^24", FP_WORDS);
    if (INT_WORDS < 2 || INT_WORDS > 1 << 24)
      $fatal(1, "INT_WORDS=%0d must lie in 2..2^24", INT_WORDS);
    if (VPREF < 1 || VPREF > MOST_ROWS)
      $fatal(1, "VPREF=%0d must lie in 1..%0d (rows of VRAM)", VPREF, MOST_ROWS);
    if (VSTORE < 1 || VSTORE > MOST_ROWS)
      $fatal(1, "VSTORE=%0d must lie in 1..%0d (rows of VRAM)", VSTORE, MOST_ROWS);
  end
endmodule

`default_nettype wire
