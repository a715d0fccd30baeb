// Address computation and every range and alignment rule: turns register values into row, tile and word numbers, or into a trap.
// Timing: combinational, part of the dispatch cycle.
// Specified in docs/isa.md, "Traps": nothing wraps, all rows are checked, the lowest cause wins.
`timescale 1ns / 1ps
`default_nettype none

module address_check #(
    parameter int MLEN        = 64,       // elements of a row
    parameter int BLEN        = 16,       // rows of a matrix operand
    parameter int HLEN        = 64,       // elements of a head
    parameter int VRAM_ELEMS  = 1048576,  // elements of VRAM
    parameter int MSRAM_TILES = 64,       // tiles of MSRAM
    parameter int FP_WORDS    = 1024,     // words of FP_MEM
    parameter int INT_WORDS   = 1024,     // words of INT_MEM
    parameter int VPREF       = 16,       // rows of H_PREFETCH_V
    parameter int VSTORE      = 16,       // rows of H_STORE_V
    parameter int MX_BLOCK    = 8,        // elements that share a scale
    parameter int VRW         = 14,       // bits of a VRAM row number
    parameter int TW          = 6,        // bits of a tile number
    parameter int FAW         = 10,       // bits of an FP_MEM address
    parameter int IAW         = 10        // bits of an INT_MEM address
) (
    input wire logic [31:0] instr,  // instruction word
    input wire logic v_source_a,  // reads VRAM row gp[rs1]
    input wire logic v_source_b,  // reads VRAM row gp[rs2]
    input wire logic v_dest,  // writes VRAM row gp[rd]
    input wire logic [31:0] gp_rd,  // gp[rd]
    input wire logic [31:0] gp_rs1,  // gp[rs1]
    input wire logic [31:0] gp_rs2,  // gp[rs2]
    input wire logic [63:0] address,  // a[rs2]
    input wire logic [31:0] scale,  // SCALE
    input wire logic [31:0] stride,  // STRIDE
    input wire logic [63:0] limit,  // end of HBM data
    output logic clear,  // no address cause holds
    output logic [3:0] cause,  // 0 or the lowest address cause that holds
    output logic [VRW-1:0] row_a,  // first source row
    output logic [VRW-1:0] row_a_last,  // last source row
    output logic [VRW-1:0] row_b,  // second source row
    output logic [VRW-1:0] row_d,  // first destination row
    output logic [VRW-1:0] row_d_last,  // last destination row
    output logic [VRW-1:0] row_stride,  // rows between rows of a write-out
    output logic [TW-1:0] tile,  // MSRAM tile
    output logic [$clog2(MLEN)-1:0] offset,  // row, column or first tap in the tile; column written
    output logic [FAW-1:0] fp_address,  // FP_MEM word
    output logic [IAW-1:0] int_address,  // INT_MEM word
    output logic [63:0] element_base,  // HBM byte of the first element row
    output logic [63:0] scale_base,  // HBM byte of the first scale row
    output logic [31:0] element_stride  // HBM bytes between element rows
);
  localparam int LM = $clog2(MLEN);
  localparam int LB = $clog2(BLEN);
  localparam int LX = $clog2(MX_BLOCK);
  localparam int LANES = MLEN / HLEN;
  localparam int NARROW_ROWS = MLEN < 32 ? 32 / MLEN : 1;  // rows of the logits of V_TOPK, by policy
  localparam int WIDE_ROWS = MLEN < 128 ? 128 / MLEN : 1;
  localparam logic [63:0] ROWS = 64'(VRAM_ELEMS / MLEN);

  logic [5:0] opcode;
  logic is_mm, is_tmm, is_mv, is_tmv, is_bmm, is_bmv, is_mm_wo, is_mv_wo, is_bmm_wo, is_bmv_wo;
  logic is_product, is_head, is_head_wo, is_wo;
  logic is_prefetch_m, is_prefetch_v, is_store, is_map, is_topk, is_hbm;
  assign opcode = instr[5:0];
  assign is_mm = opcode == plena_pkg::OP_M_MM;
  assign is_tmm = opcode == plena_pkg::OP_M_TMM;
  assign is_mv = opcode == plena_pkg::OP_M_MV;
  assign is_tmv = opcode == plena_pkg::OP_M_TMV;
  assign is_bmm = opcode == plena_pkg::OP_M_BMM || opcode == plena_pkg::OP_M_BTMM;
  assign is_bmv = opcode == plena_pkg::OP_M_BMV || opcode == plena_pkg::OP_M_BTMV;
  assign is_mm_wo = opcode == plena_pkg::OP_M_MM_WO;
  assign is_mv_wo = opcode == plena_pkg::OP_M_MV_WO;
  assign is_bmm_wo = opcode == plena_pkg::OP_M_BMM_WO;
  assign is_bmv_wo = opcode == plena_pkg::OP_M_BMV_WO;
  assign is_head = is_bmm || is_bmv;
  assign is_product = is_mm || is_tmm || is_mv || is_tmv || is_head;
  assign is_head_wo = is_bmm_wo || is_bmv_wo;
  assign is_wo = is_mm_wo || is_mv_wo || is_head_wo;
  assign is_prefetch_m = opcode == plena_pkg::OP_H_PREFETCH_M;
  assign is_prefetch_v = opcode == plena_pkg::OP_H_PREFETCH_V;
  assign is_store = opcode == plena_pkg::OP_H_STORE_V;
  assign is_map = opcode == plena_pkg::OP_S_MAP_V_FP;
  assign is_topk = opcode == plena_pkg::OP_V_TOPK;
  assign is_hbm = is_prefetch_m || is_prefetch_v || is_store;

  // VRAM. Source a: gp[rs1], but gp[rs2] for the products (M_TMM apart) and gp[rd] for a store. All sums in 64 bits, so
  // nothing wraps.
  logic use_a, use_d;
  logic [63:0] topk_rows;  // rows that the logits lie in
  logic [31:0] a_element;
  logic [63:0] a_first, a_last, b_first, d_first, d_last;
  logic [63:0] d_element, d_step;
  logic vram_misaligned, vram_range;
  assign use_a = v_source_a || is_product || is_store;
  assign use_d = v_dest || is_wo || is_prefetch_v;
  assign a_element = is_product && !is_tmm ? gp_rs2 : is_store ? gp_rd : gp_rs1;
  assign a_first = {32'd0, a_element} >> LM;
  assign topk_rows = 64'(instr[18] ? WIDE_ROWS : NARROW_ROWS);
  assign a_last = a_first + (is_mm || is_tmm ? 64'(BLEN - 1) : is_bmm ? 64'(MLEN - 1) :
      is_store ? 64'(VSTORE - 1) : is_topk ? topk_rows - 64'd1 : 64'd0);
  assign b_first = {32'd0, gp_rs2} >> LM;
  assign d_element = {32'd0, gp_rd} + (is_wo ? {46'd0, instr[31:14]} : 64'd0);
  assign d_first = d_element >> LM;
  assign d_step = instr[13:10] == 4'd0 ? 64'd1 : {32'd0, gp_rs1};
  assign d_last = is_mm_wo ? d_first + (d_step << LB) - d_step : is_bmm_wo ? d_first + 64'(LANES * MLEN - 1) :
      is_bmv_wo ? d_first + 64'(LANES - 1) : is_prefetch_v ? d_first + 64'(VPREF - 1) : d_first;
  assign vram_misaligned = (use_a && a_element[LM-1:0] != '0) || (v_source_b && gp_rs2[LM-1:0] != '0) ||
      (is_wo && d_element[LB-1:0] != '0) || (is_head_wo && d_element[LM-1:0] != '0) ||
      ((v_dest || is_prefetch_v) && gp_rd[LM-1:0] != '0);
  assign vram_range = (use_a && a_last >= ROWS) || (v_source_b && b_first >= ROWS) || (use_d && d_last >= ROWS);
  assign row_a = a_first[VRW-1:0];
  assign row_a_last = a_last[VRW-1:0];
  assign row_b = b_first[VRW-1:0];
  assign row_d = d_first[VRW-1:0];
  assign row_d_last = d_last[VRW-1:0];
  assign row_stride = d_step[VRW-1:0];

  // MSRAM. A column offset below MLEN counts elements, any other counts whole rows; that of a per-head product is its
  // first tap. Its address is a sum, which must not wrap.
  logic [32:0] m_element;
  logic [2*LM-1:0] m_offset;
  logic small_offset, row_offset_ok, element_offset_ok, head_offset_ok;
  logic msram_misaligned, msram_range;
  always_comb begin
    if (is_prefetch_m) m_element = {1'b0, gp_rd};
    else if (is_tmm) m_element = {1'b0, gp_rs2};
    else if (is_head) m_element = {1'b0, gp_rs1} + {1'b0, gp_rd};
    else m_element = {1'b0, gp_rs1};
  end
  assign m_offset = m_element[2*LM-1:0];
  assign small_offset = m_offset[2*LM-1:LM] == '0;
  assign row_offset_ok = m_offset[LM+LB-1:0] == '0;
  assign element_offset_ok = (is_mm || is_mv) && small_offset && m_offset[LB-1:0] == '0;
  assign head_offset_ok = small_offset && (m_offset[LM-1:0] & LM'(HLEN - 1)) == '0;
  assign msram_misaligned = is_head ? !head_offset_ok :
      is_product ? !row_offset_ok && !element_offset_ok : is_prefetch_m && m_offset != '0;
  assign msram_range = (is_product || is_prefetch_m) && (m_element >> (2 * LM)) >= 33'(MSRAM_TILES);
  assign tile = TW'(m_element >> (2 * LM));
  assign offset = is_wo ? d_element[LM-1:0] :
      is_head || ((is_mm || is_mv) && small_offset) ? m_offset[LM-1:0] : m_offset[2*LM-1:LM];

  // FP_MEM and INT_MEM. V_TOPK writes 4 or 8 words of each.
  logic [32:0] word, chosen;
  logic fp_range, int_range;
  assign chosen = instr[18] ? 33'd8 : 33'd4;
  assign word = {1'b0, gp_rs1} + {15'd0, instr[31:14]};
  assign fp_range = ((opcode == plena_pkg::OP_S_LD_FP || opcode == plena_pkg::OP_S_ST_FP) && word >= 33'(FP_WORDS)) ||
      (is_map && {1'b0, word} + 34'(MLEN) > 34'(FP_WORDS)) ||
      (is_topk && {1'b0, gp_rd} + chosen > 33'(FP_WORDS));
  assign int_range = ((opcode == plena_pkg::OP_S_LD_INT || opcode == plena_pkg::OP_S_ST_INT) &&
      word >= 33'(INT_WORDS)) || (is_topk && {1'b0, gp_rs2} + chosen > 33'(INT_WORDS));
  assign fp_address = is_topk ? gp_rd[FAW-1:0] : word[FAW-1:0];
  assign int_address = is_topk ? gp_rs2[IAW-1:0] : word[IAW-1:0];

  // HBM: element rows and scale rows, both below the limit. Ends are relative to a[rs2] and fit in 64 bits; a[rs2] is
  // compared by what it leaves below the limit, so nothing wraps.
  logic [63:0] rows_after_first, e_offset, s_offset, e_end, s_end, room;
  logic hbm_misaligned, hbm_past_limit;
  assign element_stride = instr[18] ? stride : 32'(MLEN);
  assign rows_after_first = is_prefetch_m ? 64'(MLEN - 1) : is_prefetch_v ? 64'(VPREF - 1) : 64'(VSTORE - 1);
  assign e_offset = {32'd0, gp_rs1};
  assign s_offset = {32'd0, scale} + ({32'd0, gp_rs1} >> LX);
  assign e_end = e_offset + {32'd0, element_stride} * rows_after_first + 64'(MLEN);
  assign s_end = s_offset + ({32'd0, element_stride} >> LX) * rows_after_first + 64'(MLEN / MX_BLOCK);
  assign room = limit - address;
  assign hbm_misaligned = is_hbm && (address[LX-1:0] != '0 || gp_rs1[LX-1:0] != '0 ||
      (instr[18] && stride[LX-1:0] != '0));
  assign hbm_past_limit = is_hbm && (address > limit || e_end > room || s_end > room);
  assign element_base = address + e_offset;
  assign scale_base = address + s_offset;

  assign clear = !(vram_misaligned || vram_range || msram_misaligned || msram_range || fp_range || int_range ||
      hbm_misaligned || hbm_past_limit);
  always_comb begin
    if (vram_misaligned) cause = plena_pkg::CAUSE_VRAM_MISALIGNED;
    else if (vram_range) cause = plena_pkg::CAUSE_VRAM_RANGE;
    else if (msram_misaligned) cause = plena_pkg::CAUSE_MSRAM_MISALIGNED;
    else if (msram_range) cause = plena_pkg::CAUSE_MSRAM_RANGE;
    else if (fp_range) cause = plena_pkg::CAUSE_FP_MEM_RANGE;
    else if (int_range) cause = plena_pkg::CAUSE_INT_MEM_RANGE;
    else if (hbm_misaligned) cause = plena_pkg::CAUSE_HBM_MISALIGNED;
    else if (hbm_past_limit) cause = plena_pkg::CAUSE_HBM_ERROR;
    else cause = plena_pkg::CAUSE_NONE;
  end

  logic unused;
  assign unused = |instr[9:6];
endmodule

`default_nettype wire
