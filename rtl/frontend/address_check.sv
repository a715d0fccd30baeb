// Address computation and every range and alignment rule: turns register values into row, tile and word numbers, or into a trap.
// Timing: combinational, part of the dispatch cycle.
// Specified in docs/isa.md, "Traps": nothing wraps, all rows are checked, the lowest cause wins.
`timescale 1ns / 1ps
`default_nettype none

module address_check #(
    `include "shape_parameters.svh"
    parameter int VRW = 14,  // bits of a VRAM row number
    parameter int TW  = 6,   // bits of a tile number
    parameter int FAW = 10,  // bits of an FP_MEM address
    parameter int IAW = 10   // bits of an INT_MEM address
) (
    input wire logic [31:0] instr,  // instruction word
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
    output logic bf16_rows,  // the rows lie in HBM as bf16, without scales
    output logic [31:0] element_stride  // HBM bytes between element rows
);
  localparam int LM = $clog2(MLEN);
  localparam int LB = $clog2(BLEN);
  localparam int LX = $clog2(MX_BLOCK);
  localparam int ROW_BYTES = MLEN;  // element bytes of a row in HBM; twice that where it lies as bf16
  localparam int LANES = MLEN / HLEN;
  localparam int NARROW_ROWS = (plena_pkg::TOPK_LOGITS_0 + MLEN - 1) / MLEN;  // rows of V_TOPK's logits, by policy
  localparam int WIDE_ROWS = (plena_pkg::TOPK_LOGITS_1 + MLEN - 1) / MLEN;
  localparam logic [63:0] ROWS = 64'(VRAM_ELEMS / MLEN);

  logic [5:0] opcode;
  logic wide;  // the policy of V_TOPK
  assign opcode = plena_pkg::opcode_of(instr);
  assign wide   = plena_pkg::policy_of(instr);

  // Rows or words of an access.
  function automatic logic [63:0] number(input logic [3:0] count, input logic wide_topk);
    case (count)
      plena_pkg::COUNT_BLEN: number = 64'(BLEN);
      plena_pkg::COUNT_MLEN: number = 64'(MLEN);
      plena_pkg::COUNT_LANES: number = 64'(LANES);
      plena_pkg::COUNT_HEADS: number = 64'(LANES * MLEN);
      plena_pkg::COUNT_VPREF: number = 64'(VPREF);
      plena_pkg::COUNT_VSTORE: number = 64'(VSTORE);
      plena_pkg::COUNT_LOGITS: number = wide_topk ? 64'(WIDE_ROWS) : 64'(NARROW_ROWS);
      plena_pkg::COUNT_CHOSEN:
      number = 64'(wide_topk ? plena_pkg::TOPK_CHOSEN_1 : plena_pkg::TOPK_CHOSEN_0);
      default: number = 64'd1;
    endcase
  endfunction

  // VRAM: source rows a, source row b, rows written. All sums in 64 bits, so nothing wraps.
  logic use_a, use_b, use_d;
  logic [ 1:0] a_at;
  logic [31:0] a_element;
  logic [63:0] a_first, a_last, b_first, d_first, d_last;
  logic [63:0] d_element, d_step;
  logic vram_misaligned, vram_range, d_offset, d_strided, d_block;
  assign use_a = plena_pkg::reads_row_a(opcode);
  assign use_b = plena_pkg::reads_row_b(opcode);
  assign use_d = plena_pkg::writes_rows(opcode);
  assign d_offset = plena_pkg::rows_written_offset(opcode);
  assign d_strided = plena_pkg::rows_written_step(opcode);
  assign d_block = plena_pkg::rows_written_block(opcode);
  assign a_at = plena_pkg::row_a_at(opcode);
  always_comb begin
    case (a_at)
      plena_pkg::AT_RD: a_element = gp_rd;
      plena_pkg::AT_RS2: a_element = gp_rs2;
      default: a_element = gp_rs1;
    endcase
  end
  assign a_first = {32'd0, a_element} >> LM;
  assign a_last = a_first + number(plena_pkg::row_a_count(opcode), wide) - 64'd1;
  assign b_first = {32'd0, gp_rs2} >> LM;
  assign d_element = {32'd0, gp_rd} + (d_offset ? {46'd0, plena_pkg::imm18_of(instr)} : 64'd0);
  assign d_first = d_element >> LM;
  assign d_step = plena_pkg::rs1_of(instr) == 4'd0 ? 64'd1 : {32'd0, gp_rs1};
  // Rows that lie apart are always BLEN.
  assign d_last = d_strided ? d_first + (d_step << LB) - d_step : d_first + number(
      plena_pkg::rows_written_count(opcode), wide
  ) - 64'd1;
  assign vram_misaligned = (use_a && a_element[LM-1:0] != '0) || (use_b && gp_rs2[LM-1:0] != '0) ||
      (use_d && (d_block ? d_element[LB-1:0] != '0 : d_element[LM-1:0] != '0));
  assign vram_range = (use_a && a_last >= ROWS) || (use_b && b_first >= ROWS) || (use_d && d_last >= ROWS);
  assign row_a = a_first[VRW-1:0];
  assign row_a_last = a_last[VRW-1:0];
  assign row_b = b_first[VRW-1:0];
  assign row_d = d_first[VRW-1:0];
  assign row_d_last = d_last[VRW-1:0];
  assign row_stride = d_step[VRW-1:0];

  // MSRAM. A column offset below MLEN counts elements, any other counts whole rows; that of a per-head product is its
  // first tap. Its address is a sum, which must not wrap.
  logic [31:0] m_register;
  logic [32:0] m_element;
  logic [2*LM-1:0] m_offset;
  logic [1:0] tile_at;
  logic [2:0] place;
  logic small_offset, row_offset_ok, element_offset_ok, head_offset_ok;
  logic msram_misaligned, msram_range;
  assign place   = plena_pkg::tile_place(opcode);
  assign tile_at = plena_pkg::tile_at(opcode);
  always_comb begin
    case (tile_at)
      plena_pkg::AT_RD: m_register = gp_rd;
      plena_pkg::AT_RS2: m_register = gp_rs2;
      default: m_register = gp_rs1;
    endcase
  end
  assign m_element = {1'b0, m_register} + (place == plena_pkg::PLACE_HEAD ? {1'b0, gp_rd} : 33'd0);
  assign m_offset = m_element[2*LM-1:0];
  assign small_offset = m_offset[2*LM-1:LM] == '0;
  assign row_offset_ok = m_offset[LM+LB-1:0] == '0;
  assign element_offset_ok = small_offset && m_offset[LB-1:0] == '0;
  assign head_offset_ok = small_offset && (m_offset[LM-1:0] & LM'(HLEN - 1)) == '0;
  always_comb begin
    case (place)
      plena_pkg::PLACE_HEAD: msram_misaligned = !head_offset_ok;
      plena_pkg::PLACE_COLUMNS: msram_misaligned = !row_offset_ok && !element_offset_ok;
      plena_pkg::PLACE_ROWS: msram_misaligned = !row_offset_ok;
      plena_pkg::PLACE_WHOLE: msram_misaligned = m_offset != '0;
      default: msram_misaligned = 1'b0;
    endcase
  end
  assign msram_range = (plena_pkg::reads_tile(
      opcode
  ) || plena_pkg::writes_tile(
      opcode
  )) && (m_element >> (2 * LM)) >= 33'(MSRAM_TILES);
  assign tile = TW'(m_element >> (2 * LM));
  assign offset = d_offset ? d_element[LM-1:0] :
      place == plena_pkg::PLACE_HEAD || (place == plena_pkg::PLACE_COLUMNS && small_offset) ?
      m_offset[LM-1:0] : m_offset[2*LM-1:LM];

  // FP_MEM and INT_MEM. V_TOPK writes both, at gp[rd] and gp[rs2].
  logic [63:0] word, fp_first, int_first;
  logic fp_range, int_range;
  assign word = {32'd0, gp_rs1} + {46'd0, plena_pkg::imm18_of(instr)};
  assign fp_first = plena_pkg::fp_words_at(opcode) == plena_pkg::AT_RD ? {32'd0, gp_rd} : word;
  assign int_first = plena_pkg::int_words_at(opcode) == plena_pkg::AT_RS2 ? {32'd0, gp_rs2} : word;
  assign fp_range = (plena_pkg::reads_fp(
      opcode
  ) || plena_pkg::writes_fp(
      opcode
  )) && fp_first + number(
      plena_pkg::fp_words_count(opcode), wide
  ) > 64'(FP_WORDS);
  assign int_range = (plena_pkg::reads_int(
      opcode
  ) || plena_pkg::writes_int(
      opcode
  )) && int_first + number(
      plena_pkg::int_words_count(opcode), wide
  ) > 64'(INT_WORDS);
  assign fp_address = fp_first[FAW-1:0];
  assign int_address = int_first[IAW-1:0];

  // HBM: element rows and scale rows, both below the limit. Ends are relative to a[rs2] and fit in 64 bits; a[rs2] is
  // compared by what it leaves below the limit, so nothing wraps.
  logic [63:0] rows_after_first, e_offset, s_offset, e_end, s_end, room;
  logic is_hbm, use_stride, hbm_misaligned, hbm_past_limit;
  logic [9:0] row_bytes;
  assign bf16_rows = 1'(4'(HBM_BF16) >> plena_pkg::transfer_class(instr));
  assign row_bytes = bf16_rows ? 10'(2 * ROW_BYTES) : 10'(ROW_BYTES);
  assign is_hbm = plena_pkg::op_unit(opcode) == plena_pkg::UNIT_H;
  assign use_stride = plena_pkg::rstride_of(instr);
  assign element_stride = use_stride ? stride : {22'd0, row_bytes};
  assign rows_after_first = number(plena_pkg::hbm_count(opcode), wide) - 64'd1;
  assign e_offset = {32'd0, gp_rs1};
  assign s_offset = {32'd0, scale} + ({32'd0, gp_rs1} >> LX);
  assign e_end = e_offset + {32'd0, element_stride} * rows_after_first + {54'd0, row_bytes};
  assign s_end = s_offset + ({32'd0, element_stride} >> LX) * rows_after_first + 64'(MLEN / MX_BLOCK);
  assign room = limit - address;
  assign hbm_misaligned = is_hbm && (address[LX-1:0] != '0 || gp_rs1[LX-1:0] != '0 ||
      (use_stride && stride[LX-1:0] != '0) ||
      (bf16_rows && (gp_rs1[LX] || (use_stride && stride[LX]))));
  assign hbm_past_limit = is_hbm && (address > limit || e_end > room || (s_end > room && !bf16_rows));
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
endmodule

`default_nettype wire
