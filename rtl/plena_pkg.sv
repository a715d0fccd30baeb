// Constants of the PLENA instruction set and control registers, and the decode tables.
// Parameters and combinational functions of the opcode only: no state, no timing.
// Generated from the tables of plena_ref/isa; specified in docs/isa.md and docs/registers.md.
`timescale 1ns / 1ps
`default_nettype none

// A file that names one constant sees all of them; each user needs only its own share.
/* verilator lint_off UNUSEDPARAM */

package plena_pkg;

  // Opcodes, instruction bits 5:0
  localparam logic [5:0] OP_M_MM = 6'h01;
  localparam logic [5:0] OP_M_TMM = 6'h02;
  localparam logic [5:0] OP_M_BMM = 6'h03;
  localparam logic [5:0] OP_M_BTMM = 6'h04;
  localparam logic [5:0] OP_M_BMM_WO = 6'h05;
  localparam logic [5:0] OP_M_MM_WO = 6'h06;
  localparam logic [5:0] OP_M_MV = 6'h07;
  localparam logic [5:0] OP_M_TMV = 6'h08;
  localparam logic [5:0] OP_M_BMV = 6'h09;
  localparam logic [5:0] OP_M_BTMV = 6'h0A;
  localparam logic [5:0] OP_M_MV_WO = 6'h0B;
  localparam logic [5:0] OP_M_BMV_WO = 6'h0C;
  localparam logic [5:0] OP_V_ADD_VV = 6'h0D;
  localparam logic [5:0] OP_V_ADD_VF = 6'h0E;
  localparam logic [5:0] OP_V_SUB_VV = 6'h0F;
  localparam logic [5:0] OP_V_SUB_VF = 6'h10;
  localparam logic [5:0] OP_V_MUL_VV = 6'h11;
  localparam logic [5:0] OP_V_MUL_VF = 6'h12;
  localparam logic [5:0] OP_V_EXP_V = 6'h13;
  localparam logic [5:0] OP_V_RECI_V = 6'h14;
  localparam logic [5:0] OP_V_RED_SUM = 6'h15;
  localparam logic [5:0] OP_V_RED_MAX = 6'h16;
  localparam logic [5:0] OP_S_ADD_FP = 6'h17;
  localparam logic [5:0] OP_S_SUB_FP = 6'h18;
  localparam logic [5:0] OP_S_MAX_FP = 6'h19;
  localparam logic [5:0] OP_S_MUL_FP = 6'h1A;
  localparam logic [5:0] OP_S_EXP_FP = 6'h1B;
  localparam logic [5:0] OP_S_RECI_FP = 6'h1C;
  localparam logic [5:0] OP_S_SQRT_FP = 6'h1D;
  localparam logic [5:0] OP_S_LD_FP = 6'h1E;
  localparam logic [5:0] OP_S_ST_FP = 6'h1F;
  localparam logic [5:0] OP_S_MAP_V_FP = 6'h20;
  localparam logic [5:0] OP_S_ADD_INT = 6'h21;
  localparam logic [5:0] OP_S_ADDI_INT = 6'h22;
  localparam logic [5:0] OP_S_SUB_INT = 6'h23;
  localparam logic [5:0] OP_S_MUL_INT = 6'h24;
  localparam logic [5:0] OP_S_LUI_INT = 6'h25;
  localparam logic [5:0] OP_S_LD_INT = 6'h26;
  localparam logic [5:0] OP_S_ST_INT = 6'h27;
  localparam logic [5:0] OP_H_PREFETCH_M = 6'h28;
  localparam logic [5:0] OP_H_PREFETCH_V = 6'h29;
  localparam logic [5:0] OP_H_STORE_V = 6'h2A;
  localparam logic [5:0] OP_C_SET_ADDR_REG = 6'h2B;
  localparam logic [5:0] OP_C_SET_SCALE_REG = 6'h2C;
  localparam logic [5:0] OP_C_SET_STRIDE_REG = 6'h2D;
  localparam logic [5:0] OP_C_SET_V_MASK_REG = 6'h2E;
  localparam logic [5:0] OP_C_LOOP_START = 6'h2F;
  localparam logic [5:0] OP_C_LOOP_END = 6'h30;
  localparam logic [5:0] OP_V_PS_V = 6'h31;
  localparam logic [5:0] OP_V_SHFT_V = 6'h32;
  localparam logic [5:0] OP_C_HADAMARD_TRANSFORM = 6'h33;
  localparam logic [5:0] OP_C_BREAK = 6'h34;
  localparam logic [5:0] OP_V_MAX_VF = 6'h35;
  localparam logic [5:0] OP_V_MIN_VF = 6'h36;
  localparam logic [5:0] OP_V_TOPK = 6'h37;

  // Fields of an instruction word: lowest bit and number of bits
  localparam int OPCODE_LSB = 0;
  localparam int OPCODE_W = 6;
  localparam int RD_LSB = 6;
  localparam int RD_W = 4;
  localparam int RS1_LSB = 10;
  localparam int RS1_W = 4;
  localparam int RS2_LSB = 14;
  localparam int RS2_W = 4;
  localparam int RS3_LSB = 18;
  localparam int RS3_W = 4;
  localparam int FUNCT1_LSB = 22;
  localparam int FUNCT1_W = 4;
  localparam int IMM18_LSB = 14;
  localparam int IMM18_W = 18;
  localparam int IMM22_LSB = 10;
  localparam int IMM22_W = 22;

  // Executing unit of an instruction
  localparam logic [2:0] UNIT_INT = 3'd0;
  localparam logic [2:0] UNIT_CTRL = 3'd1;
  localparam logic [2:0] UNIT_M = 3'd2;
  localparam logic [2:0] UNIT_V = 3'd3;
  localparam logic [2:0] UNIT_F = 3'd4;
  localparam logic [2:0] UNIT_H = 3'd5;

  // Trap causes
  localparam logic [3:0] CAUSE_NONE = 4'd0;
  localparam logic [3:0] CAUSE_ILLEGAL_OPCODE = 4'd1;
  localparam logic [3:0] CAUSE_ILLEGAL_OPERAND = 4'd2;
  localparam logic [3:0] CAUSE_VRAM_MISALIGNED = 4'd3;
  localparam logic [3:0] CAUSE_VRAM_RANGE = 4'd4;
  localparam logic [3:0] CAUSE_MSRAM_MISALIGNED = 4'd5;
  localparam logic [3:0] CAUSE_MSRAM_RANGE = 4'd6;
  localparam logic [3:0] CAUSE_FP_MEM_RANGE = 4'd7;
  localparam logic [3:0] CAUSE_INT_MEM_RANGE = 4'd8;
  localparam logic [3:0] CAUSE_HBM_MISALIGNED = 4'd9;
  localparam logic [3:0] CAUSE_HBM_ERROR = 4'd10;
  localparam logic [3:0] CAUSE_LOOP_COUNT = 4'd11;
  localparam logic [3:0] CAUSE_LOOP_OVERFLOW = 4'd12;
  localparam logic [3:0] CAUSE_LOOP_MISMATCH = 4'd13;
  localparam logic [3:0] CAUSE_FETCH_ERROR = 4'd14;
  localparam logic [3:0] CAUSE_WATCHDOG = 4'd15;

  // Control registers: byte offsets, and bit positions of their fields
  localparam logic [11:0] CSR_ID = 12'h000;
  localparam logic [11:0] CSR_VERSION = 12'h004;
  localparam logic [11:0] CSR_CONFIG0 = 12'h008;
  localparam logic [11:0] CSR_CONFIG1 = 12'h00C;
  localparam logic [11:0] CSR_VRAM_ELEMS = 12'h010;
  localparam logic [11:0] CSR_MSRAM_TILES = 12'h014;
  localparam logic [11:0] CSR_FP_WORDS = 12'h018;
  localparam logic [11:0] CSR_INT_WORDS = 12'h01C;
  localparam logic [11:0] CSR_CTRL = 12'h020;
  localparam logic [11:0] CSR_STATUS = 12'h024;
  localparam logic [11:0] CSR_CAUSE = 12'h028;
  localparam logic [11:0] CSR_PC = 12'h02C;
  localparam logic [11:0] CSR_BASE_LO = 12'h030;
  localparam logic [11:0] CSR_BASE_HI = 12'h034;
  localparam logic [11:0] CSR_LENGTH = 12'h038;
  localparam logic [11:0] CSR_RESUME_PC = 12'h03C;
  localparam logic [11:0] CSR_LIMIT_LO = 12'h040;
  localparam logic [11:0] CSR_LIMIT_HI = 12'h044;
  localparam logic [11:0] CSR_WATCHDOG_LO = 12'h048;
  localparam logic [11:0] CSR_WATCHDOG_HI = 12'h04C;
  localparam logic [11:0] CSR_IRQ_ENABLE = 12'h050;
  localparam logic [11:0] CSR_IRQ_STATUS = 12'h054;
  localparam logic [11:0] CSR_CYCLES_LO = 12'h058;
  localparam logic [11:0] CSR_CYCLES_HI = 12'h05C;
  localparam logic [11:0] CSR_INSTRUCTIONS_LO = 12'h060;
  localparam logic [11:0] CSR_INSTRUCTIONS_HI = 12'h064;
  localparam logic [11:0] CSR_SCALE = 12'h080;
  localparam logic [11:0] CSR_STRIDE = 12'h084;
  localparam logic [11:0] CSR_V_MASK = 12'h088;
  localparam logic [11:0] CSR_GP = 12'h100;
  localparam logic [11:0] CSR_F = 12'h140;
  localparam logic [11:0] CSR_A_LO = 12'h180;
  localparam logic [11:0] CSR_A_HI = 12'h184;
  localparam logic [11:0] CSR_DISPATCH_LO = 12'h200;
  localparam logic [11:0] CSR_DISPATCH_HI = 12'h204;
  localparam logic [11:0] CSR_MATRIX_LO = 12'h280;
  localparam logic [11:0] CSR_MATRIX_HI = 12'h284;
  localparam logic [11:0] CSR_VECTOR_LO = 12'h300;
  localparam logic [11:0] CSR_VECTOR_HI = 12'h304;
  localparam logic [11:0] CSR_FLOAT_LO = 12'h380;
  localparam logic [11:0] CSR_FLOAT_HI = 12'h384;
  localparam logic [11:0] CSR_HBM_LO = 12'h400;
  localparam logic [11:0] CSR_HBM_HI = 12'h404;
  localparam logic [11:0] CSR_TOTALS_LO = 12'h500;
  localparam logic [11:0] CSR_TOTALS_HI = 12'h504;
  localparam int CSR_CONFIG0_LOG2_MLEN_LSB = 0;
  localparam int CSR_CONFIG0_LOG2_BLEN_LSB = 4;
  localparam int CSR_CONFIG0_LOG2_HLEN_LSB = 8;
  localparam int CSR_CONFIG0_LOG2_MX_BLOCK_LSB = 12;
  localparam int CSR_CONFIG0_LOOP_DEPTH_LSB = 16;
  localparam int CSR_CONFIG1_VPREF_LSB = 0;
  localparam int CSR_CONFIG1_VSTORE_LSB = 16;
  localparam int CSR_CTRL_START_LSB = 0;
  localparam int CSR_CTRL_RESUME_LSB = 1;
  localparam int CSR_STATUS_RUNNING_LSB = 0;
  localparam int CSR_STATUS_STOPPED_LSB = 1;
  localparam int CSR_STATUS_TRAPPED_LSB = 2;
  localparam int CSR_CAUSE_CODE_LSB = 0;
  localparam int CSR_IRQ_ENABLE_STOPPED_LSB = 0;
  localparam int CSR_IRQ_ENABLE_TRAPPED_LSB = 1;
  localparam int CSR_IRQ_STATUS_STOPPED_LSB = 0;
  localparam int CSR_IRQ_STATUS_TRAPPED_LSB = 1;
  localparam int CSR_F_BITS_LSB = 0;
  localparam logic [31:0] CSR_ID_VALUE = 32'h504C4E41;
  localparam logic [31:0] CSR_VERSION_VALUE = 32'h00000001;

  // Performance counters: states of dispatch and of a queue's head, numbers of sums
  localparam int DISPATCH_STATES = 9;
  localparam logic [3:0] DISPATCH_ONE = 4'd0;
  localparam logic [3:0] DISPATCH_TWO = 4'd1;
  localparam logic [3:0] DISPATCH_FETCH = 4'd2;
  localparam logic [3:0] DISPATCH_MATRIX_FULL = 4'd3;
  localparam logic [3:0] DISPATCH_VECTOR_FULL = 4'd4;
  localparam logic [3:0] DISPATCH_FLOAT_FULL = 4'd5;
  localparam logic [3:0] DISPATCH_HBM_FULL = 4'd6;
  localparam logic [3:0] DISPATCH_INT_MEM = 4'd7;
  localparam logic [3:0] DISPATCH_DRAIN = 4'd8;
  localparam int QUEUE_STATES = 10;
  localparam logic [3:0] QUEUE_EMPTY = 4'd0;
  localparam logic [3:0] QUEUE_ISSUE = 4'd1;
  localparam logic [3:0] QUEUE_F = 4'd2;
  localparam logic [3:0] QUEUE_ROW = 4'd3;
  localparam logic [3:0] QUEUE_TILE = 4'd4;
  localparam logic [3:0] QUEUE_FP_MEM = 4'd5;
  localparam logic [3:0] QUEUE_ORDER = 4'd6;
  localparam logic [3:0] QUEUE_BANK = 4'd7;
  localparam logic [3:0] QUEUE_BUS = 4'd8;
  localparam logic [3:0] QUEUE_BUSY = 4'd9;
  localparam int TOTALS = 18;
  localparam int TOTAL_INTEGER_INSTRUCTIONS = 0;
  localparam int TOTAL_CONTROL_INSTRUCTIONS = 1;
  localparam int TOTAL_MATRIX_INSTRUCTIONS = 2;
  localparam int TOTAL_VECTOR_INSTRUCTIONS = 3;
  localparam int TOTAL_FLOAT_INSTRUCTIONS = 4;
  localparam int TOTAL_HBM_INSTRUCTIONS = 5;
  localparam int TOTAL_MATRIX_BUSY = 6;
  localparam int TOTAL_VECTOR_BUSY = 7;
  localparam int TOTAL_FLOAT_BUSY = 8;
  localparam int TOTAL_HBM_BUSY = 9;
  localparam int TOTAL_MACS = 10;
  localparam int TOTAL_VECTOR_ROWS = 11;
  localparam int TOTAL_READ_BEATS = 12;
  localparam int TOTAL_WRITE_BEATS = 13;
  localparam int TOTAL_FETCH_LINES = 14;
  localparam int TOTAL_MATRIX_WRITE_REFUSED = 15;
  localparam int TOTAL_VECTOR_WRITE_REFUSED = 16;
  localparam int TOTAL_HBM_WRITE_REFUSED = 17;

  // 1 for an opcode that this machine executes; any other traps as ILLEGAL_OPCODE
  function automatic logic op_legal(input logic [5:0] op);
    case (op)
      OP_M_MM: op_legal = 1'b1;
      OP_M_TMM: op_legal = 1'b1;
      OP_M_BMM: op_legal = 1'b1;
      OP_M_BTMM: op_legal = 1'b1;
      OP_M_BMM_WO: op_legal = 1'b1;
      OP_M_MM_WO: op_legal = 1'b1;
      OP_M_MV: op_legal = 1'b1;
      OP_M_TMV: op_legal = 1'b1;
      OP_M_BMV: op_legal = 1'b1;
      OP_M_BTMV: op_legal = 1'b1;
      OP_M_MV_WO: op_legal = 1'b1;
      OP_M_BMV_WO: op_legal = 1'b1;
      OP_V_ADD_VV: op_legal = 1'b1;
      OP_V_ADD_VF: op_legal = 1'b1;
      OP_V_SUB_VV: op_legal = 1'b1;
      OP_V_SUB_VF: op_legal = 1'b1;
      OP_V_MUL_VV: op_legal = 1'b1;
      OP_V_MUL_VF: op_legal = 1'b1;
      OP_V_EXP_V: op_legal = 1'b1;
      OP_V_RECI_V: op_legal = 1'b1;
      OP_V_RED_SUM: op_legal = 1'b1;
      OP_V_RED_MAX: op_legal = 1'b1;
      OP_S_ADD_FP: op_legal = 1'b1;
      OP_S_SUB_FP: op_legal = 1'b1;
      OP_S_MAX_FP: op_legal = 1'b1;
      OP_S_MUL_FP: op_legal = 1'b1;
      OP_S_EXP_FP: op_legal = 1'b1;
      OP_S_RECI_FP: op_legal = 1'b1;
      OP_S_SQRT_FP: op_legal = 1'b1;
      OP_S_LD_FP: op_legal = 1'b1;
      OP_S_ST_FP: op_legal = 1'b1;
      OP_S_MAP_V_FP: op_legal = 1'b1;
      OP_S_ADD_INT: op_legal = 1'b1;
      OP_S_ADDI_INT: op_legal = 1'b1;
      OP_S_SUB_INT: op_legal = 1'b1;
      OP_S_MUL_INT: op_legal = 1'b1;
      OP_S_LUI_INT: op_legal = 1'b1;
      OP_S_LD_INT: op_legal = 1'b1;
      OP_S_ST_INT: op_legal = 1'b1;
      OP_H_PREFETCH_M: op_legal = 1'b1;
      OP_H_PREFETCH_V: op_legal = 1'b1;
      OP_H_STORE_V: op_legal = 1'b1;
      OP_C_SET_ADDR_REG: op_legal = 1'b1;
      OP_C_SET_SCALE_REG: op_legal = 1'b1;
      OP_C_SET_STRIDE_REG: op_legal = 1'b1;
      OP_C_SET_V_MASK_REG: op_legal = 1'b1;
      OP_C_LOOP_START: op_legal = 1'b1;
      OP_C_LOOP_END: op_legal = 1'b1;
      OP_V_SHFT_V: op_legal = 1'b1;
      OP_C_BREAK: op_legal = 1'b1;
      OP_V_MAX_VF: op_legal = 1'b1;
      OP_V_MIN_VF: op_legal = 1'b1;
      OP_V_TOPK: op_legal = 1'b1;
      default: op_legal = 1'b0;
    endcase
  endfunction

  // The executing unit; UNIT_CTRL for an opcode that is not executed
  function automatic logic [2:0] op_unit(input logic [5:0] op);
    case (op)
      OP_M_MM: op_unit = UNIT_M;
      OP_M_TMM: op_unit = UNIT_M;
      OP_M_BMM: op_unit = UNIT_M;
      OP_M_BTMM: op_unit = UNIT_M;
      OP_M_BMM_WO: op_unit = UNIT_M;
      OP_M_MM_WO: op_unit = UNIT_M;
      OP_M_MV: op_unit = UNIT_M;
      OP_M_TMV: op_unit = UNIT_M;
      OP_M_BMV: op_unit = UNIT_M;
      OP_M_BTMV: op_unit = UNIT_M;
      OP_M_MV_WO: op_unit = UNIT_M;
      OP_M_BMV_WO: op_unit = UNIT_M;
      OP_V_ADD_VV: op_unit = UNIT_V;
      OP_V_ADD_VF: op_unit = UNIT_V;
      OP_V_SUB_VV: op_unit = UNIT_V;
      OP_V_SUB_VF: op_unit = UNIT_V;
      OP_V_MUL_VV: op_unit = UNIT_V;
      OP_V_MUL_VF: op_unit = UNIT_V;
      OP_V_EXP_V: op_unit = UNIT_V;
      OP_V_RECI_V: op_unit = UNIT_V;
      OP_V_RED_SUM: op_unit = UNIT_V;
      OP_V_RED_MAX: op_unit = UNIT_V;
      OP_S_ADD_FP: op_unit = UNIT_F;
      OP_S_SUB_FP: op_unit = UNIT_F;
      OP_S_MAX_FP: op_unit = UNIT_F;
      OP_S_MUL_FP: op_unit = UNIT_F;
      OP_S_EXP_FP: op_unit = UNIT_F;
      OP_S_RECI_FP: op_unit = UNIT_F;
      OP_S_SQRT_FP: op_unit = UNIT_F;
      OP_S_LD_FP: op_unit = UNIT_F;
      OP_S_ST_FP: op_unit = UNIT_F;
      OP_S_MAP_V_FP: op_unit = UNIT_V;
      OP_S_ADD_INT: op_unit = UNIT_INT;
      OP_S_ADDI_INT: op_unit = UNIT_INT;
      OP_S_SUB_INT: op_unit = UNIT_INT;
      OP_S_MUL_INT: op_unit = UNIT_INT;
      OP_S_LUI_INT: op_unit = UNIT_INT;
      OP_S_LD_INT: op_unit = UNIT_INT;
      OP_S_ST_INT: op_unit = UNIT_INT;
      OP_H_PREFETCH_M: op_unit = UNIT_H;
      OP_H_PREFETCH_V: op_unit = UNIT_H;
      OP_H_STORE_V: op_unit = UNIT_H;
      OP_C_SET_ADDR_REG: op_unit = UNIT_CTRL;
      OP_C_SET_SCALE_REG: op_unit = UNIT_CTRL;
      OP_C_SET_STRIDE_REG: op_unit = UNIT_CTRL;
      OP_C_SET_V_MASK_REG: op_unit = UNIT_CTRL;
      OP_C_LOOP_START: op_unit = UNIT_CTRL;
      OP_C_LOOP_END: op_unit = UNIT_CTRL;
      OP_V_SHFT_V: op_unit = UNIT_V;
      OP_C_BREAK: op_unit = UNIT_CTRL;
      OP_V_MAX_VF: op_unit = UNIT_V;
      OP_V_MIN_VF: op_unit = UNIT_V;
      OP_V_TOPK: op_unit = UNIT_V;
      default: op_unit = UNIT_CTRL;
    endcase
  endfunction

  // Instruction bits that must be 0, else ILLEGAL_OPERAND; for an opcode that is executed
  function automatic logic [31:0] operand_zero_mask(input logic [5:0] op);
    case (op)
      OP_M_MM: operand_zero_mask = 32'hFFFC03C0;
      OP_M_TMM: operand_zero_mask = 32'hFFFC03C0;
      OP_M_BMM: operand_zero_mask = 32'hFFFC0000;
      OP_M_BTMM: operand_zero_mask = 32'hFFFC0000;
      OP_M_BMM_WO: operand_zero_mask = 32'h00003C00;
      OP_M_MM_WO: operand_zero_mask = 32'h00000000;
      OP_M_MV: operand_zero_mask = 32'hFFFC03C0;
      OP_M_TMV: operand_zero_mask = 32'hFFFC03C0;
      OP_M_BMV: operand_zero_mask = 32'hFFFC0000;
      OP_M_BTMV: operand_zero_mask = 32'hFFFC0000;
      OP_M_MV_WO: operand_zero_mask = 32'h00003C00;
      OP_M_BMV_WO: operand_zero_mask = 32'h00003C00;
      OP_V_ADD_VV: operand_zero_mask = 32'hFFF80000;
      OP_V_ADD_VF: operand_zero_mask = 32'hFFFA0000;
      OP_V_SUB_VV: operand_zero_mask = 32'hFFF80000;
      OP_V_SUB_VF: operand_zero_mask = 32'hFFBA0000;
      OP_V_MUL_VV: operand_zero_mask = 32'hFFF80000;
      OP_V_MUL_VF: operand_zero_mask = 32'hFFFA0000;
      OP_V_EXP_V: operand_zero_mask = 32'hFFF80000;
      OP_V_RECI_V: operand_zero_mask = 32'hFFF80000;
      OP_V_RED_SUM: operand_zero_mask = 32'hFFF80200;
      OP_V_RED_MAX: operand_zero_mask = 32'hFFF80200;
      OP_S_ADD_FP: operand_zero_mask = 32'hFFFE2200;
      OP_S_SUB_FP: operand_zero_mask = 32'hFFFE2200;
      OP_S_MAX_FP: operand_zero_mask = 32'hFFFE2200;
      OP_S_MUL_FP: operand_zero_mask = 32'hFFFE2200;
      OP_S_EXP_FP: operand_zero_mask = 32'hFFFFE200;
      OP_S_RECI_FP: operand_zero_mask = 32'hFFFFE200;
      OP_S_SQRT_FP: operand_zero_mask = 32'hFFFFE200;
      OP_S_LD_FP: operand_zero_mask = 32'h00000200;
      OP_S_ST_FP: operand_zero_mask = 32'h00000200;
      OP_S_MAP_V_FP: operand_zero_mask = 32'h00000000;
      OP_S_ADD_INT: operand_zero_mask = 32'hFFFC0000;
      OP_S_ADDI_INT: operand_zero_mask = 32'h00000000;
      OP_S_SUB_INT: operand_zero_mask = 32'hFFFC0000;
      OP_S_MUL_INT: operand_zero_mask = 32'hFFFC0000;
      OP_S_LUI_INT: operand_zero_mask = 32'h00000000;
      OP_S_LD_INT: operand_zero_mask = 32'h00000000;
      OP_S_ST_INT: operand_zero_mask = 32'h00000000;
      OP_H_PREFETCH_M: operand_zero_mask = 32'hFFBA0000;
      OP_H_PREFETCH_V: operand_zero_mask = 32'hFFBA0000;
      OP_H_STORE_V: operand_zero_mask = 32'hFFBA0000;
      OP_C_SET_ADDR_REG: operand_zero_mask = 32'hFFFC0200;
      OP_C_SET_SCALE_REG: operand_zero_mask = 32'hFFFFFC00;
      OP_C_SET_STRIDE_REG: operand_zero_mask = 32'hFFFFFC00;
      OP_C_SET_V_MASK_REG: operand_zero_mask = 32'hFFFFFC00;
      OP_C_LOOP_START: operand_zero_mask = 32'h00000000;
      OP_C_LOOP_END: operand_zero_mask = 32'hFFFFFC00;
      OP_V_SHFT_V: operand_zero_mask = 32'hFFFC0000;
      OP_C_BREAK: operand_zero_mask = 32'hFFFFFFC0;
      OP_V_MAX_VF: operand_zero_mask = 32'hFFFA0000;
      OP_V_MIN_VF: operand_zero_mask = 32'hFFFA0000;
      OP_V_TOPK: operand_zero_mask = 32'hFFF80000;
      default: operand_zero_mask = 32'hFFFFFFC0;
    endcase
  endfunction

endpackage

/* verilator lint_on UNUSEDPARAM */
`default_nettype wire
