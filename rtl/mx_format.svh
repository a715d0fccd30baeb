// Constants of the element format of HBM that the parameter ELEMENT chooses; codes without the sign bit.
// Included where ELEMENT is a parameter. Generated from plena_ref/isa/formats.py; specified in docs/isa.md.
// verilator lint_off UNUSEDPARAM
localparam int MX_EXPONENT_W = ELEMENT == 0 ? 4 : 4;  // bits of the exponent field
localparam int MX_MANTISSA_W = ELEMENT == 0 ? 3 : 3;  // bits of the mantissa field
localparam logic [9:0] MX_BIAS = ELEMENT == 0 ? 10'd7 : 10'd7;  // bias of the exponent
localparam int MX_SUBNORMAL = ELEMENT == 0 ? 1 : 0;  // exponent field that subnormals scale like
localparam logic [6:0] MX_LARGEST = ELEMENT == 0 ? 7'h7E : 7'h77;  // code of the largest magnitude
localparam logic [6:0] MX_FIRST_NAN = ELEMENT == 0 ? 7'h7F : 7'h79;  // lowest code of a NaN
localparam logic [6:0] MX_NAN = ELEMENT == 0 ? 7'h7F : 7'h7F;  // code of the NaN that is written
localparam logic [8:0] MX_LARGEST_EXPONENT = ELEMENT == 0 ? 9'd8 : 9'd7;  // exponent of the largest
localparam logic [6:0] MX_LARGEST_FRACTION = ELEMENT == 0 ? 7'h60 : 7'h70;  // its fraction, as bf16 has it
localparam logic MX_PLENA = ELEMENT == 0 ? 1'b0 : 1'b1;  // scales and rounding by PLENA's rules
localparam int MX_FORMATS = 2;  // values of ELEMENT, from 0 on
// verilator lint_on UNUSEDPARAM
