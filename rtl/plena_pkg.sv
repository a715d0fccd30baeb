// Constants of the PLENA instruction set and control registers, and the decode tables.
// Parameters and combinational functions of the instruction word only: no state, no timing.
// Generated from the tables of plena_ref/isa; specified in docs/isa.md and docs/registers.md.
`timescale 1ns / 1ps
`default_nettype none

// A file that names one constant sees all of them; each user needs only its own share, and a
// function of the word looks at its own bits.
// verilog_format: off
/* verilator lint_off UNUSEDPARAM */
/* verilator lint_off UNUSEDSIGNAL */

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

  // Operation codes of the units; NO_OPERATION is none of them
  localparam int UNIT_OP_W = 4;
  localparam logic [UNIT_OP_W-1:0] NO_OPERATION = 4'd15;
  localparam logic [UNIT_OP_W-1:0] M_OP_MM = 4'd0;
  localparam logic [UNIT_OP_W-1:0] M_OP_TMM = 4'd1;
  localparam logic [UNIT_OP_W-1:0] M_OP_MM_WO = 4'd2;
  localparam logic [UNIT_OP_W-1:0] M_OP_MV = 4'd4;
  localparam logic [UNIT_OP_W-1:0] M_OP_TMV = 4'd5;
  localparam logic [UNIT_OP_W-1:0] M_OP_MV_WO = 4'd6;
  localparam logic [UNIT_OP_W-1:0] M_OP_BMM = 4'd8;
  localparam logic [UNIT_OP_W-1:0] M_OP_BTMM = 4'd9;
  localparam logic [UNIT_OP_W-1:0] M_OP_BMM_WO = 4'd10;
  localparam logic [UNIT_OP_W-1:0] M_OP_BMV = 4'd12;
  localparam logic [UNIT_OP_W-1:0] M_OP_BTMV = 4'd13;
  localparam logic [UNIT_OP_W-1:0] M_OP_BMV_WO = 4'd14;
  localparam logic [UNIT_OP_W-1:0] V_OP_ADD = 4'd0;
  localparam logic [UNIT_OP_W-1:0] V_OP_SUB = 4'd1;
  localparam logic [UNIT_OP_W-1:0] V_OP_MUL = 4'd2;
  localparam logic [UNIT_OP_W-1:0] V_OP_RSUB = 4'd3;
  localparam logic [UNIT_OP_W-1:0] V_OP_MAX = 4'd4;
  localparam logic [UNIT_OP_W-1:0] V_OP_MIN = 4'd5;
  localparam logic [UNIT_OP_W-1:0] V_OP_EXP = 4'd6;
  localparam logic [UNIT_OP_W-1:0] V_OP_RECI = 4'd7;
  localparam logic [UNIT_OP_W-1:0] V_OP_SHFT = 4'd8;
  localparam logic [UNIT_OP_W-1:0] V_OP_MAP = 4'd9;
  localparam logic [UNIT_OP_W-1:0] V_OP_RED_SUM = 4'd10;
  localparam logic [UNIT_OP_W-1:0] V_OP_RED_MAX = 4'd11;
  localparam logic [UNIT_OP_W-1:0] V_OP_TOPK_4 = 4'd12;
  localparam logic [UNIT_OP_W-1:0] V_OP_TOPK_8 = 4'd13;
  localparam logic [UNIT_OP_W-1:0] F_OP_ADD = 4'd0;
  localparam logic [UNIT_OP_W-1:0] F_OP_SUB = 4'd1;
  localparam logic [UNIT_OP_W-1:0] F_OP_MAX = 4'd2;
  localparam logic [UNIT_OP_W-1:0] F_OP_MUL = 4'd3;
  localparam logic [UNIT_OP_W-1:0] F_OP_EXP = 4'd4;
  localparam logic [UNIT_OP_W-1:0] F_OP_RECI = 4'd5;
  localparam logic [UNIT_OP_W-1:0] F_OP_SQRT = 4'd6;
  localparam logic [UNIT_OP_W-1:0] F_OP_LD = 4'd7;
  localparam logic [UNIT_OP_W-1:0] F_OP_ST = 4'd8;
  localparam logic [UNIT_OP_W-1:0] H_OP_PREFETCH_M = 4'd0;
  localparam logic [UNIT_OP_W-1:0] H_OP_PREFETCH_V = 4'd1;
  localparam logic [UNIT_OP_W-1:0] H_OP_STORE_V = 4'd2;

  // Scales of HBM, E8M0
  localparam logic [7:0] MX_SCALE_NAN = 8'hFF;

  // Bits of a matrix operation code; the upper two name the accumulators m, v, hm, hv
  localparam int M_TRANSPOSED = 0;
  localparam int M_WRITE_OUT = 1;
  localparam int M_ONE_ROW = 2;
  localparam int M_PER_HEAD = 3;

  // The field whose gp register is the address, or the first summand of it
  localparam logic [1:0] AT_RD = 2'd0;
  localparam logic [1:0] AT_RS1 = 2'd1;
  localparam logic [1:0] AT_RS2 = 2'd2;

  // How many rows or words an access covers
  localparam logic [3:0] COUNT_ONE = 4'd0;
  localparam logic [3:0] COUNT_BLEN = 4'd1;
  localparam logic [3:0] COUNT_MLEN = 4'd2;
  localparam logic [3:0] COUNT_LANES = 4'd3;
  localparam logic [3:0] COUNT_HEADS = 4'd4;
  localparam logic [3:0] COUNT_VPREF = 4'd5;
  localparam logic [3:0] COUNT_VSTORE = 4'd6;
  localparam logic [3:0] COUNT_LOGITS = 4'd7;
  localparam logic [3:0] COUNT_CHOSEN = 4'd8;

  // V_TOPK by the value of its policy: the logits, and how many of them are chosen
  localparam int TOPK_LOGITS_0 = 32;
  localparam int TOPK_CHOSEN_0 = 4;
  localparam int TOPK_LOGITS_1 = 128;
  localparam int TOPK_CHOSEN_1 = 8;

  // Where in its row or tile an access may begin
  localparam logic [2:0] PLACE_ROW = 3'd0;
  localparam logic [2:0] PLACE_BLOCK = 3'd1;
  localparam logic [2:0] PLACE_WHOLE = 3'd2;
  localparam logic [2:0] PLACE_COLUMNS = 3'd3;
  localparam logic [2:0] PLACE_ROWS = 3'd4;
  localparam logic [2:0] PLACE_HEAD = 3'd5;

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
  localparam logic [11:0] CSR_DRAIN_LIMIT = 12'h068;
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
  localparam int CSR_CONFIG0_ELEMENT_LSB = 24;
  localparam int CSR_CONFIG0_HBM_BF16_LSB = 28;
  localparam int CSR_CONFIG1_VPREF_LSB = 0;
  localparam int CSR_CONFIG1_VSTORE_LSB = 16;
  localparam int CSR_CTRL_START_LSB = 0;
  localparam int CSR_CTRL_RESUME_LSB = 1;
  localparam int CSR_CTRL_ABORT_LSB = 2;
  localparam int CSR_STATUS_RUNNING_LSB = 0;
  localparam int CSR_STATUS_STOPPED_LSB = 1;
  localparam int CSR_STATUS_TRAPPED_LSB = 2;
  localparam int CSR_STATUS_UNDRAINED_LSB = 3;
  localparam int CSR_STATUS_BUS_ERROR_LSB = 4;
  localparam int CSR_STATUS_ABORTED_LSB = 5;
  localparam int CSR_STATUS_REFUSED_LSB = 6;
  localparam int CSR_STATUS_NO_IDS_LSB = 7;
  localparam int CSR_STATUS_LATE_READS_LSB = 8;
  localparam int CSR_STATUS_LATE_WRITES_LSB = 9;
  localparam int CSR_CAUSE_CODE_LSB = 0;
  localparam int CSR_IRQ_ENABLE_STOPPED_LSB = 0;
  localparam int CSR_IRQ_ENABLE_TRAPPED_LSB = 1;
  localparam int CSR_IRQ_STATUS_STOPPED_LSB = 0;
  localparam int CSR_IRQ_STATUS_TRAPPED_LSB = 1;
  localparam int CSR_F_BITS_LSB = 0;
  localparam logic [31:0] CSR_ID_VALUE = 32'h504C4E41;
  localparam logic [31:0] CSR_VERSION_VALUE = 32'h00000002;
  localparam logic [31:0] CSR_DRAIN_LIMIT_RESET = 32'd65536;

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

  // Fields of an instruction word
  function automatic logic [5:0] opcode_of(input logic [31:0] word);
    opcode_of = word[OPCODE_LSB+:OPCODE_W];
  endfunction
  function automatic logic [3:0] rd_of(input logic [31:0] word);
    rd_of = word[RD_LSB+:RD_W];
  endfunction
  function automatic logic [3:0] rs1_of(input logic [31:0] word);
    rs1_of = word[RS1_LSB+:RS1_W];
  endfunction
  function automatic logic [3:0] rs2_of(input logic [31:0] word);
    rs2_of = word[RS2_LSB+:RS2_W];
  endfunction
  function automatic logic [3:0] rs3_of(input logic [31:0] word);
    rs3_of = word[RS3_LSB+:RS3_W];
  endfunction
  function automatic logic [3:0] funct1_of(input logic [31:0] word);
    funct1_of = word[FUNCT1_LSB+:FUNCT1_W];
  endfunction
  function automatic logic [17:0] imm18_of(input logic [31:0] word);
    imm18_of = word[IMM18_LSB+:IMM18_W];
  endfunction
  function automatic logic [21:0] imm22_of(input logic [31:0] word);
    imm22_of = word[IMM22_LSB+:IMM22_W];
  endfunction

  // The f or a register that a field names
  function automatic logic [2:0] a_rd_of(input logic [31:0] word);
    a_rd_of = word[RD_LSB+:3];
  endfunction
  function automatic logic [2:0] a_rs2_of(input logic [31:0] word);
    a_rs2_of = word[RS2_LSB+:3];
  endfunction
  function automatic logic [2:0] f_rd_of(input logic [31:0] word);
    f_rd_of = word[RD_LSB+:3];
  endfunction
  function automatic logic [2:0] f_rs1_of(input logic [31:0] word);
    f_rs1_of = word[RS1_LSB+:3];
  endfunction
  function automatic logic [2:0] f_rs2_of(input logic [31:0] word);
    f_rs2_of = word[RS2_LSB+:3];
  endfunction

  // The flag rmask; 0 for an instruction without it
  function automatic logic rmask_of(input logic [31:0] word);
    case (opcode_of(word))
      OP_V_ADD_VV: rmask_of = word[RS3_LSB];
      OP_V_ADD_VF: rmask_of = word[RS3_LSB];
      OP_V_SUB_VV: rmask_of = word[RS3_LSB];
      OP_V_SUB_VF: rmask_of = word[RS3_LSB];
      OP_V_MUL_VV: rmask_of = word[RS3_LSB];
      OP_V_MUL_VF: rmask_of = word[RS3_LSB];
      OP_V_EXP_V: rmask_of = word[RS3_LSB];
      OP_V_RECI_V: rmask_of = word[RS3_LSB];
      OP_V_RED_SUM: rmask_of = word[RS3_LSB];
      OP_V_RED_MAX: rmask_of = word[RS3_LSB];
      OP_V_MAX_VF: rmask_of = word[RS3_LSB];
      OP_V_MIN_VF: rmask_of = word[RS3_LSB];
      default: rmask_of = 1'b0;
    endcase
  endfunction

  // The flag rorder; 0 for an instruction without it
  function automatic logic rorder_of(input logic [31:0] word);
    case (opcode_of(word))
      OP_V_SUB_VF: rorder_of = word[FUNCT1_LSB];
      default: rorder_of = 1'b0;
    endcase
  endfunction

  // The flag rstride; 0 for an instruction without it
  function automatic logic rstride_of(input logic [31:0] word);
    case (opcode_of(word))
      OP_H_PREFETCH_M: rstride_of = word[RS3_LSB];
      OP_H_PREFETCH_V: rstride_of = word[RS3_LSB];
      OP_H_STORE_V: rstride_of = word[RS3_LSB];
      default: rstride_of = 1'b0;
    endcase
  endfunction

  // The flag precision; 0 for an instruction without it
  function automatic logic precision_of(input logic [31:0] word);
    case (opcode_of(word))
      OP_H_PREFETCH_M: precision_of = word[FUNCT1_LSB];
      OP_H_PREFETCH_V: precision_of = word[FUNCT1_LSB];
      OP_H_STORE_V: precision_of = word[FUNCT1_LSB];
      default: precision_of = 1'b0;
    endcase
  endfunction

  // The flag policy; 0 for an instruction without it
  function automatic logic policy_of(input logic [31:0] word);
    case (opcode_of(word))
      OP_V_TOPK: policy_of = word[RS3_LSB];
      default: policy_of = 1'b0;
    endcase
  endfunction

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

  // The operation of the instruction's unit; NO_OPERATION where there is none
  function automatic logic [3:0] unit_operation(input logic [31:0] word);
    case (opcode_of(word))
      OP_M_MM: unit_operation = M_OP_MM;
      OP_M_TMM: unit_operation = M_OP_TMM;
      OP_M_BMM: unit_operation = M_OP_BMM;
      OP_M_BTMM: unit_operation = M_OP_BTMM;
      OP_M_BMM_WO: unit_operation = M_OP_BMM_WO;
      OP_M_MM_WO: unit_operation = M_OP_MM_WO;
      OP_M_MV: unit_operation = M_OP_MV;
      OP_M_TMV: unit_operation = M_OP_TMV;
      OP_M_BMV: unit_operation = M_OP_BMV;
      OP_M_BTMV: unit_operation = M_OP_BTMV;
      OP_M_MV_WO: unit_operation = M_OP_MV_WO;
      OP_M_BMV_WO: unit_operation = M_OP_BMV_WO;
      OP_V_ADD_VV: unit_operation = V_OP_ADD;
      OP_V_ADD_VF: unit_operation = V_OP_ADD;
      OP_V_SUB_VV: unit_operation = V_OP_SUB;
      OP_V_SUB_VF: unit_operation = rorder_of(word) ? V_OP_RSUB : V_OP_SUB;
      OP_V_MUL_VV: unit_operation = V_OP_MUL;
      OP_V_MUL_VF: unit_operation = V_OP_MUL;
      OP_V_EXP_V: unit_operation = V_OP_EXP;
      OP_V_RECI_V: unit_operation = V_OP_RECI;
      OP_V_RED_SUM: unit_operation = V_OP_RED_SUM;
      OP_V_RED_MAX: unit_operation = V_OP_RED_MAX;
      OP_S_ADD_FP: unit_operation = F_OP_ADD;
      OP_S_SUB_FP: unit_operation = F_OP_SUB;
      OP_S_MAX_FP: unit_operation = F_OP_MAX;
      OP_S_MUL_FP: unit_operation = F_OP_MUL;
      OP_S_EXP_FP: unit_operation = F_OP_EXP;
      OP_S_RECI_FP: unit_operation = F_OP_RECI;
      OP_S_SQRT_FP: unit_operation = F_OP_SQRT;
      OP_S_LD_FP: unit_operation = F_OP_LD;
      OP_S_ST_FP: unit_operation = F_OP_ST;
      OP_S_MAP_V_FP: unit_operation = V_OP_MAP;
      OP_H_PREFETCH_M: unit_operation = H_OP_PREFETCH_M;
      OP_H_PREFETCH_V: unit_operation = H_OP_PREFETCH_V;
      OP_H_STORE_V: unit_operation = H_OP_STORE_V;
      OP_V_SHFT_V: unit_operation = V_OP_SHFT;
      OP_V_MAX_VF: unit_operation = V_OP_MAX;
      OP_V_MIN_VF: unit_operation = V_OP_MIN;
      OP_V_TOPK: unit_operation = policy_of(word) ? V_OP_TOPK_8 : V_OP_TOPK_4;
      default: unit_operation = NO_OPERATION;
    endcase
  endfunction

  // Reads VRAM rows: source a
  function automatic logic reads_row_a(input logic [5:0] op);
    case (op)
      OP_M_MM: reads_row_a = 1'b1;
      OP_M_TMM: reads_row_a = 1'b1;
      OP_M_BMM: reads_row_a = 1'b1;
      OP_M_BTMM: reads_row_a = 1'b1;
      OP_M_MV: reads_row_a = 1'b1;
      OP_M_TMV: reads_row_a = 1'b1;
      OP_M_BMV: reads_row_a = 1'b1;
      OP_M_BTMV: reads_row_a = 1'b1;
      OP_V_ADD_VV: reads_row_a = 1'b1;
      OP_V_ADD_VF: reads_row_a = 1'b1;
      OP_V_SUB_VV: reads_row_a = 1'b1;
      OP_V_SUB_VF: reads_row_a = 1'b1;
      OP_V_MUL_VV: reads_row_a = 1'b1;
      OP_V_MUL_VF: reads_row_a = 1'b1;
      OP_V_EXP_V: reads_row_a = 1'b1;
      OP_V_RECI_V: reads_row_a = 1'b1;
      OP_V_RED_SUM: reads_row_a = 1'b1;
      OP_V_RED_MAX: reads_row_a = 1'b1;
      OP_H_STORE_V: reads_row_a = 1'b1;
      OP_V_SHFT_V: reads_row_a = 1'b1;
      OP_V_MAX_VF: reads_row_a = 1'b1;
      OP_V_MIN_VF: reads_row_a = 1'b1;
      OP_V_TOPK: reads_row_a = 1'b1;
      default: reads_row_a = 1'b0;
    endcase
  endfunction

  // Source a: how many
  function automatic logic [3:0] row_a_count(input logic [5:0] op);
    case (op)
      OP_M_MM: row_a_count = COUNT_BLEN;
      OP_M_TMM: row_a_count = COUNT_BLEN;
      OP_M_BMM: row_a_count = COUNT_MLEN;
      OP_M_BTMM: row_a_count = COUNT_MLEN;
      OP_H_STORE_V: row_a_count = COUNT_VSTORE;
      OP_V_TOPK: row_a_count = COUNT_LOGITS;
      default: row_a_count = COUNT_ONE;
    endcase
  endfunction

  // Source a: where the address is
  function automatic logic [1:0] row_a_at(input logic [5:0] op);
    case (op)
      OP_M_MM: row_a_at = AT_RS2;
      OP_M_BMM: row_a_at = AT_RS2;
      OP_M_BTMM: row_a_at = AT_RS2;
      OP_M_MV: row_a_at = AT_RS2;
      OP_M_TMV: row_a_at = AT_RS2;
      OP_M_BMV: row_a_at = AT_RS2;
      OP_M_BTMV: row_a_at = AT_RS2;
      OP_H_STORE_V: row_a_at = AT_RD;
      default: row_a_at = AT_RS1;
    endcase
  endfunction

  // Reads the VRAM row gp[rs2] too: source b
  function automatic logic reads_row_b(input logic [5:0] op);
    case (op)
      OP_V_ADD_VV: reads_row_b = 1'b1;
      OP_V_SUB_VV: reads_row_b = 1'b1;
      OP_V_MUL_VV: reads_row_b = 1'b1;
      default: reads_row_b = 1'b0;
    endcase
  endfunction

  // Writes VRAM rows from gp[rd] on
  function automatic logic writes_rows(input logic [5:0] op);
    case (op)
      OP_M_BMM_WO: writes_rows = 1'b1;
      OP_M_MM_WO: writes_rows = 1'b1;
      OP_M_MV_WO: writes_rows = 1'b1;
      OP_M_BMV_WO: writes_rows = 1'b1;
      OP_V_ADD_VV: writes_rows = 1'b1;
      OP_V_ADD_VF: writes_rows = 1'b1;
      OP_V_SUB_VV: writes_rows = 1'b1;
      OP_V_SUB_VF: writes_rows = 1'b1;
      OP_V_MUL_VV: writes_rows = 1'b1;
      OP_V_MUL_VF: writes_rows = 1'b1;
      OP_V_EXP_V: writes_rows = 1'b1;
      OP_V_RECI_V: writes_rows = 1'b1;
      OP_S_MAP_V_FP: writes_rows = 1'b1;
      OP_H_PREFETCH_V: writes_rows = 1'b1;
      OP_V_SHFT_V: writes_rows = 1'b1;
      OP_V_MAX_VF: writes_rows = 1'b1;
      OP_V_MIN_VF: writes_rows = 1'b1;
      default: writes_rows = 1'b0;
    endcase
  endfunction

  // Rows written: how many
  function automatic logic [3:0] rows_written_count(input logic [5:0] op);
    case (op)
      OP_M_BMM_WO: rows_written_count = COUNT_HEADS;
      OP_M_MM_WO: rows_written_count = COUNT_BLEN;
      OP_M_BMV_WO: rows_written_count = COUNT_LANES;
      OP_H_PREFETCH_V: rows_written_count = COUNT_VPREF;
      default: rows_written_count = COUNT_ONE;
    endcase
  endfunction

  // Rows written lie gp[rs1] apart, 1 apart when rs1 is 0
  function automatic logic rows_written_step(input logic [5:0] op);
    case (op)
      OP_M_MM_WO: rows_written_step = 1'b1;
      default: rows_written_step = 1'b0;
    endcase
  endfunction

  // Rows are written from gp[rd] + imm18 on
  function automatic logic rows_written_offset(input logic [5:0] op);
    case (op)
      OP_M_BMM_WO: rows_written_offset = 1'b1;
      OP_M_MM_WO: rows_written_offset = 1'b1;
      OP_M_MV_WO: rows_written_offset = 1'b1;
      OP_M_BMV_WO: rows_written_offset = 1'b1;
      default: rows_written_offset = 1'b0;
    endcase
  endfunction

  // Writes BLEN columns of a row, not all of it
  function automatic logic rows_written_block(input logic [5:0] op);
    case (op)
      OP_M_MM_WO: rows_written_block = 1'b1;
      OP_M_MV_WO: rows_written_block = 1'b1;
      default: rows_written_block = 1'b0;
    endcase
  endfunction

  // Reads an MSRAM tile
  function automatic logic reads_tile(input logic [5:0] op);
    case (op)
      OP_M_MM: reads_tile = 1'b1;
      OP_M_TMM: reads_tile = 1'b1;
      OP_M_BMM: reads_tile = 1'b1;
      OP_M_BTMM: reads_tile = 1'b1;
      OP_M_MV: reads_tile = 1'b1;
      OP_M_TMV: reads_tile = 1'b1;
      OP_M_BMV: reads_tile = 1'b1;
      OP_M_BTMV: reads_tile = 1'b1;
      default: reads_tile = 1'b0;
    endcase
  endfunction

  // Writes an MSRAM tile
  function automatic logic writes_tile(input logic [5:0] op);
    case (op)
      OP_H_PREFETCH_M: writes_tile = 1'b1;
      default: writes_tile = 1'b0;
    endcase
  endfunction

  // MSRAM: where the address is
  function automatic logic [1:0] tile_at(input logic [5:0] op);
    case (op)
      OP_M_TMM: tile_at = AT_RS2;
      OP_H_PREFETCH_M: tile_at = AT_RD;
      default: tile_at = AT_RS1;
    endcase
  endfunction

  // MSRAM: the offset in the tile
  function automatic logic [2:0] tile_place(input logic [5:0] op);
    case (op)
      OP_M_MM: tile_place = PLACE_COLUMNS;
      OP_M_TMM: tile_place = PLACE_ROWS;
      OP_M_BMM: tile_place = PLACE_HEAD;
      OP_M_BTMM: tile_place = PLACE_HEAD;
      OP_M_MV: tile_place = PLACE_COLUMNS;
      OP_M_TMV: tile_place = PLACE_ROWS;
      OP_M_BMV: tile_place = PLACE_HEAD;
      OP_M_BTMV: tile_place = PLACE_HEAD;
      OP_H_PREFETCH_M: tile_place = PLACE_WHOLE;
      default: tile_place = PLACE_ROW;
    endcase
  endfunction

  // Reads FP_MEM
  function automatic logic reads_fp(input logic [5:0] op);
    case (op)
      OP_S_LD_FP: reads_fp = 1'b1;
      OP_S_MAP_V_FP: reads_fp = 1'b1;
      default: reads_fp = 1'b0;
    endcase
  endfunction

  // Writes FP_MEM
  function automatic logic writes_fp(input logic [5:0] op);
    case (op)
      OP_S_ST_FP: writes_fp = 1'b1;
      OP_V_TOPK: writes_fp = 1'b1;
      default: writes_fp = 1'b0;
    endcase
  endfunction

  // FP_MEM words: how many
  function automatic logic [3:0] fp_words_count(input logic [5:0] op);
    case (op)
      OP_S_MAP_V_FP: fp_words_count = COUNT_MLEN;
      OP_V_TOPK: fp_words_count = COUNT_CHOSEN;
      default: fp_words_count = COUNT_ONE;
    endcase
  endfunction

  // FP_MEM words: where the address is
  function automatic logic [1:0] fp_words_at(input logic [5:0] op);
    case (op)
      OP_V_TOPK: fp_words_at = AT_RD;
      default: fp_words_at = AT_RS1;
    endcase
  endfunction

  // Reads INT_MEM
  function automatic logic reads_int(input logic [5:0] op);
    case (op)
      OP_S_LD_INT: reads_int = 1'b1;
      default: reads_int = 1'b0;
    endcase
  endfunction

  // Writes INT_MEM
  function automatic logic writes_int(input logic [5:0] op);
    case (op)
      OP_S_ST_INT: writes_int = 1'b1;
      OP_V_TOPK: writes_int = 1'b1;
      default: writes_int = 1'b0;
    endcase
  endfunction

  // INT_MEM words: how many
  function automatic logic [3:0] int_words_count(input logic [5:0] op);
    case (op)
      OP_V_TOPK: int_words_count = COUNT_CHOSEN;
      default: int_words_count = COUNT_ONE;
    endcase
  endfunction

  // INT_MEM words: where the address is
  function automatic logic [1:0] int_words_at(input logic [5:0] op);
    case (op)
      OP_V_TOPK: int_words_at = AT_RS2;
      default: int_words_at = AT_RS1;
    endcase
  endfunction

  // f registers it reads, a bit each; never f0
  function automatic logic [7:0] reads_f(input logic [31:0] word);
    case (opcode_of(word))
      OP_V_ADD_VF: reads_f = (8'd1 << f_rs2_of(word)) & 8'hFE;
      OP_V_SUB_VF: reads_f = (8'd1 << f_rs2_of(word)) & 8'hFE;
      OP_V_MUL_VF: reads_f = (8'd1 << f_rs2_of(word)) & 8'hFE;
      OP_V_RED_SUM: reads_f = (8'd1 << f_rd_of(word)) & 8'hFE;
      OP_V_RED_MAX: reads_f = (8'd1 << f_rd_of(word)) & 8'hFE;
      OP_S_ADD_FP: reads_f = ((8'd1 << f_rs1_of(word)) | (8'd1 << f_rs2_of(word))) & 8'hFE;
      OP_S_SUB_FP: reads_f = ((8'd1 << f_rs1_of(word)) | (8'd1 << f_rs2_of(word))) & 8'hFE;
      OP_S_MAX_FP: reads_f = ((8'd1 << f_rs1_of(word)) | (8'd1 << f_rs2_of(word))) & 8'hFE;
      OP_S_MUL_FP: reads_f = ((8'd1 << f_rs1_of(word)) | (8'd1 << f_rs2_of(word))) & 8'hFE;
      OP_S_EXP_FP: reads_f = (8'd1 << f_rs1_of(word)) & 8'hFE;
      OP_S_RECI_FP: reads_f = (8'd1 << f_rs1_of(word)) & 8'hFE;
      OP_S_SQRT_FP: reads_f = (8'd1 << f_rs1_of(word)) & 8'hFE;
      OP_S_ST_FP: reads_f = (8'd1 << f_rd_of(word)) & 8'hFE;
      OP_V_MAX_VF: reads_f = (8'd1 << f_rs2_of(word)) & 8'hFE;
      OP_V_MIN_VF: reads_f = (8'd1 << f_rs2_of(word)) & 8'hFE;
      default: reads_f = 8'd0;
    endcase
  endfunction

  // f registers it writes, a bit each; never f0
  function automatic logic [7:0] writes_f(input logic [31:0] word);
    case (opcode_of(word))
      OP_V_RED_SUM: writes_f = (8'd1 << f_rd_of(word)) & 8'hFE;
      OP_V_RED_MAX: writes_f = (8'd1 << f_rd_of(word)) & 8'hFE;
      OP_S_ADD_FP: writes_f = (8'd1 << f_rd_of(word)) & 8'hFE;
      OP_S_SUB_FP: writes_f = (8'd1 << f_rd_of(word)) & 8'hFE;
      OP_S_MAX_FP: writes_f = (8'd1 << f_rd_of(word)) & 8'hFE;
      OP_S_MUL_FP: writes_f = (8'd1 << f_rd_of(word)) & 8'hFE;
      OP_S_EXP_FP: writes_f = (8'd1 << f_rd_of(word)) & 8'hFE;
      OP_S_RECI_FP: writes_f = (8'd1 << f_rd_of(word)) & 8'hFE;
      OP_S_SQRT_FP: writes_f = (8'd1 << f_rd_of(word)) & 8'hFE;
      OP_S_LD_FP: writes_f = (8'd1 << f_rd_of(word)) & 8'hFE;
      default: writes_f = 8'd0;
    endcase
  endfunction

  // The second source of a vector instruction is an f register
  function automatic logic vector_f(input logic [5:0] op);
    case (op)
      OP_V_ADD_VF: vector_f = 1'b1;
      OP_V_SUB_VF: vector_f = 1'b1;
      OP_V_MUL_VF: vector_f = 1'b1;
      OP_V_MAX_VF: vector_f = 1'b1;
      OP_V_MIN_VF: vector_f = 1'b1;
      default: vector_f = 1'b0;
    endcase
  endfunction

  // Writes gp[rd]
  function automatic logic writes_gp(input logic [5:0] op);
    case (op)
      OP_S_ADD_INT: writes_gp = 1'b1;
      OP_S_ADDI_INT: writes_gp = 1'b1;
      OP_S_SUB_INT: writes_gp = 1'b1;
      OP_S_MUL_INT: writes_gp = 1'b1;
      OP_S_LUI_INT: writes_gp = 1'b1;
      OP_S_LD_INT: writes_gp = 1'b1;
      OP_C_LOOP_START: writes_gp = 1'b1;
      OP_C_LOOP_END: writes_gp = 1'b1;
      default: writes_gp = 1'b0;
    endcase
  endfunction

  // HBM rows; COUNT_ONE for none
  function automatic logic [3:0] hbm_count(input logic [5:0] op);
    case (op)
      OP_H_PREFETCH_M: hbm_count = COUNT_MLEN;
      OP_H_PREFETCH_V: hbm_count = COUNT_VPREF;
      OP_H_STORE_V: hbm_count = COUNT_VSTORE;
      default: hbm_count = COUNT_ONE;
    endcase
  endfunction

  // HBM: which bit of HBM_BF16 says how the rows lie
  function automatic logic [1:0] transfer_class(input logic [31:0] word);
    case (opcode_of(word))
      OP_H_PREFETCH_M: transfer_class = 2'd0 + {1'b0, precision_of(word)};
      OP_H_PREFETCH_V: transfer_class = 2'd2 + {1'b0, precision_of(word)};
      OP_H_STORE_V: transfer_class = 2'd2 + {1'b0, precision_of(word)};
      default: transfer_class = 2'd0;
    endcase
  endfunction

  // An operation of unit M
  function automatic logic m_op_legal(input logic [UNIT_OP_W-1:0] op);
    case (op)
      M_OP_MM: m_op_legal = 1'b1;
      M_OP_TMM: m_op_legal = 1'b1;
      M_OP_MM_WO: m_op_legal = 1'b1;
      M_OP_MV: m_op_legal = 1'b1;
      M_OP_TMV: m_op_legal = 1'b1;
      M_OP_MV_WO: m_op_legal = 1'b1;
      M_OP_BMM: m_op_legal = 1'b1;
      M_OP_BTMM: m_op_legal = 1'b1;
      M_OP_BMM_WO: m_op_legal = 1'b1;
      M_OP_BMV: m_op_legal = 1'b1;
      M_OP_BTMV: m_op_legal = 1'b1;
      M_OP_BMV_WO: m_op_legal = 1'b1;
      default: m_op_legal = 1'b0;
    endcase
  endfunction

  // An operation of unit V
  function automatic logic v_op_legal(input logic [UNIT_OP_W-1:0] op);
    case (op)
      V_OP_ADD: v_op_legal = 1'b1;
      V_OP_SUB: v_op_legal = 1'b1;
      V_OP_MUL: v_op_legal = 1'b1;
      V_OP_RSUB: v_op_legal = 1'b1;
      V_OP_MAX: v_op_legal = 1'b1;
      V_OP_MIN: v_op_legal = 1'b1;
      V_OP_EXP: v_op_legal = 1'b1;
      V_OP_RECI: v_op_legal = 1'b1;
      V_OP_SHFT: v_op_legal = 1'b1;
      V_OP_MAP: v_op_legal = 1'b1;
      V_OP_RED_SUM: v_op_legal = 1'b1;
      V_OP_RED_MAX: v_op_legal = 1'b1;
      V_OP_TOPK_4: v_op_legal = 1'b1;
      V_OP_TOPK_8: v_op_legal = 1'b1;
      default: v_op_legal = 1'b0;
    endcase
  endfunction

  // An operation of unit F
  function automatic logic f_op_legal(input logic [UNIT_OP_W-1:0] op);
    case (op)
      F_OP_ADD: f_op_legal = 1'b1;
      F_OP_SUB: f_op_legal = 1'b1;
      F_OP_MAX: f_op_legal = 1'b1;
      F_OP_MUL: f_op_legal = 1'b1;
      F_OP_EXP: f_op_legal = 1'b1;
      F_OP_RECI: f_op_legal = 1'b1;
      F_OP_SQRT: f_op_legal = 1'b1;
      F_OP_LD: f_op_legal = 1'b1;
      F_OP_ST: f_op_legal = 1'b1;
      default: f_op_legal = 1'b0;
    endcase
  endfunction

  // An operation of unit H
  function automatic logic h_op_legal(input logic [UNIT_OP_W-1:0] op);
    case (op)
      H_OP_PREFETCH_M: h_op_legal = 1'b1;
      H_OP_PREFETCH_V: h_op_legal = 1'b1;
      H_OP_STORE_V: h_op_legal = 1'b1;
      default: h_op_legal = 1'b0;
    endcase
  endfunction

  // Vector operation that reads a row
  function automatic logic v_op_row(input logic [UNIT_OP_W-1:0] op);
    case (op)
      V_OP_ADD: v_op_row = 1'b1;
      V_OP_SUB: v_op_row = 1'b1;
      V_OP_MUL: v_op_row = 1'b1;
      V_OP_RSUB: v_op_row = 1'b1;
      V_OP_MAX: v_op_row = 1'b1;
      V_OP_MIN: v_op_row = 1'b1;
      V_OP_EXP: v_op_row = 1'b1;
      V_OP_RECI: v_op_row = 1'b1;
      V_OP_SHFT: v_op_row = 1'b1;
      V_OP_RED_SUM: v_op_row = 1'b1;
      V_OP_RED_MAX: v_op_row = 1'b1;
      V_OP_TOPK_4: v_op_row = 1'b1;
      V_OP_TOPK_8: v_op_row = 1'b1;
      default: v_op_row = 1'b0;
    endcase
  endfunction

  // Vector operation with a second source, row or f
  function automatic logic v_op_two_sources(input logic [UNIT_OP_W-1:0] op);
    case (op)
      V_OP_ADD: v_op_two_sources = 1'b1;
      V_OP_SUB: v_op_two_sources = 1'b1;
      V_OP_MUL: v_op_two_sources = 1'b1;
      V_OP_RSUB: v_op_two_sources = 1'b1;
      V_OP_MAX: v_op_two_sources = 1'b1;
      V_OP_MIN: v_op_two_sources = 1'b1;
      default: v_op_two_sources = 1'b0;
    endcase
  endfunction

  // Vector operation that writes f
  function automatic logic v_op_reduction(input logic [UNIT_OP_W-1:0] op);
    case (op)
      V_OP_RED_SUM: v_op_reduction = 1'b1;
      V_OP_RED_MAX: v_op_reduction = 1'b1;
      default: v_op_reduction = 1'b0;
    endcase
  endfunction

  // Vector operation that writes FP_MEM
  function automatic logic v_op_topk(input logic [UNIT_OP_W-1:0] op);
    case (op)
      V_OP_TOPK_4: v_op_topk = 1'b1;
      V_OP_TOPK_8: v_op_topk = 1'b1;
      default: v_op_topk = 1'b0;
    endcase
  endfunction

endpackage

/* verilator lint_on UNUSEDSIGNAL */
/* verilator lint_on UNUSEDPARAM */
// verilog_format: on
`default_nettype wire
