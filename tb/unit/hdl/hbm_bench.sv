// hbm_bench: hbm_unit with small vector and matrix memories, a fetch client, an AXI checker and counters around it.
// Grants are withheld at random; slot_ready is given by the test (`allow`) for slots that are live.
// Specified in docs/microarchitecture.md, "HBM unit".
`timescale 1ns / 1ps
`default_nettype none

module hbm_bench #(
    parameter int MLEN     = 16,  // elements of a row
    parameter int BLEN     = 4,   // elements a write-mask bit
    parameter int MX_BLOCK = 8,   // elements a scale byte
    parameter int ELEMENT  = 0,   // element format
    parameter int HBM_BF16 = 0,   // not 0: push_bf16 is looked at
    parameter int VPREF    = 4,   // rows of H_PREFETCH_V
    parameter int VSTORE   = 4,   // rows of H_STORE_V
    parameter int VRW      = 6,   // bits of a VRAM row number
    parameter int TW       = 2    // bits of an MSRAM tile number
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    input wire logic flush,  // see hbm_unit
    output logic idle,  // see hbm_unit
    input wire logic abort,  // see hbm_unit
    output logic ids_ready,  // see hbm_unit
    output logic late_reads,  // see hbm_unit
    output logic late_writes,  // see hbm_unit
    input wire logic push,  // see hbm_unit
    input wire logic [1:0] push_op,  // see hbm_unit
    input wire logic [63:0] push_ebase,  // see hbm_unit
    input wire logic [63:0] push_sbase,  // see hbm_unit
    input wire logic [31:0] push_stride,  // see hbm_unit
    input wire logic push_bf16,  // see hbm_unit
    input wire logic [TW-1:0] push_tile,  // see hbm_unit
    input wire logic [VRW-1:0] push_row,  // see hbm_unit
    input wire logic [3:0] allow,  // slots whose dependencies are gone
    output logic [3:0] live,  // pushed, not done and not faulted
    output logic [3:0] slot_fault,  // see hbm_unit
    output logic [3:0] captured,  // slots that pulsed slot_rd_done since their push
    input wire logic [7:0] withhold,  // chance in 256 that a grant is withheld
    input wire logic fetch_on,  // fetch line after line
    input  wire logic [     63:0] fetch_base,      // first of 1024 lines, each with its address in its first 8 bytes
    output logic [31:0] fetched,  // lines that came
    output logic [31:0] fetch_errors,  // lines with rerr
    output logic [31:0] bench_errors,  // broken rules of the slot interface or of fetch order
    output logic [31:0] axi_errors,  // violations seen by the checker
    output logic [31:0] elem_beats,  // element beats asked for
    output logic [31:0] scale_beats,  // scale beats asked for
    output logic [31:0] rows_written,  // rows written to VRAM and MSRAM
    output logic [31:0] in_flight_peak,  // most data beats in flight
    `include "axi_write_ports.svh"
    input wire logic [3:0] m_axi_bid,  // id
    input wire logic [1:0] m_axi_bresp,  // response
    input wire logic m_axi_bvalid,  // valid
    output logic m_axi_bready,  // ready
    `include "axi_read_ports.svh"
    input wire logic [3:0] m_axi_rid,  // id
    input wire logic [511:0] m_axi_rdata,  // data
    input wire logic [1:0] m_axi_rresp,  // response
    input wire logic m_axi_rlast,  // last beat
    input wire logic m_axi_rvalid,  // valid
    output logic m_axi_rready  // ready
);
  localparam int LM = $clog2(MLEN);

  logic [MLEN*16-1:0] vram [  0:(1<<VRW)-1];
  logic [MLEN*16-1:0] msram[0:(MLEN<<TW)-1];

  logic [3:0] slot_ready, slot_rd_done, slot_done;
  logic rd_req, rd_gnt, wr_req, wr_gnt, ms_wr_en;
  logic [VRW-1:0] rd_row, wr_row;
  logic [MLEN*16-1:0] rd_data, wr_data, ms_wr_data;
  logic [MLEN/BLEN-1:0] wr_mask;
  logic [TW-1:0] ms_wr_tile;
  logic [LM-1:0] ms_wr_idx;
  logic if_req, if_gnt, if_rvalid, if_rerr;
  logic [ 63:0] if_addr;
  logic [511:0] if_rdata;
  logic [ 15:0] violated;

  hbm_unit #(
      .MLEN(MLEN),
      .BLEN(BLEN),
      .VRW(VRW),
      .TW(TW),
      .MX_BLOCK(MX_BLOCK),
      .ELEMENT(ELEMENT),
      .HBM_BF16(HBM_BF16),
      .VPREF(VPREF),
      .VSTORE(VSTORE)
  ) u_hbm (
      .head(),
      .head_valid(),
      .head_issues(),
      .head_waits(),
      .head_refused(),
      .head_bus(),
      .read_beat(),
      .write_beat(),
      .ids_ready(ids_ready),
      .late_reads(late_reads),
      .late_writes(late_writes),
      .*
  );

  axi_checker u_checker (
      .clk(clk),
      .rst(rst),
      .errors(axi_errors),
      .violated(violated),
      .awid(m_axi_awid),
      .awaddr(m_axi_awaddr),
      .awlen(m_axi_awlen),
      .awsize(m_axi_awsize),
      .awburst(m_axi_awburst),
      .awvalid(m_axi_awvalid),
      .awready(m_axi_awready),
      .wdata(m_axi_wdata),
      .wstrb(m_axi_wstrb),
      .wlast(m_axi_wlast),
      .wvalid(m_axi_wvalid),
      .wready(m_axi_wready),
      .bid(m_axi_bid),
      .bresp(m_axi_bresp),
      .bvalid(m_axi_bvalid),
      .bready(m_axi_bready),
      .arid(m_axi_arid),
      .araddr(m_axi_araddr),
      .arlen(m_axi_arlen),
      .arsize(m_axi_arsize),
      .arburst(m_axi_arburst),
      .arvalid(m_axi_arvalid),
      .arready(m_axi_arready),
      .rid(m_axi_rid),
      .rdata(m_axi_rdata),
      .rresp(m_axi_rresp),
      .rlast(m_axi_rlast),
      .rvalid(m_axi_rvalid),
      .rready(m_axi_rready)
  );

  // Grants from a shift register that does not depend on any request.
  logic [31:0] random;
  assign rd_gnt = rd_req && random[7:0] >= withhold;
  assign wr_gnt = wr_req && random[15:8] >= withhold;
  assign slot_ready = live & allow;

  logic [31:0] fetch_asked;
  assign if_addr = fetch_base + 64'({fetch_asked[9:0], 6'd0});

  logic [ 1:0] push_ptr;
  logic [31:0] in_flight;

  always_ff @(posedge clk) begin
    random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};
    if (rd_gnt) rd_data <= vram[rd_row];
    else rd_data <= {MLEN{16'hdead}};
    if (wr_gnt) vram[wr_row] <= wr_data;
    if (ms_wr_en) msram[{ms_wr_tile, ms_wr_idx}] <= ms_wr_data;
    rows_written <= rows_written + 32'(wr_gnt) + 32'(ms_wr_en);
    if (wr_req && wr_mask != '1) bench_errors <= bench_errors + 1;

    // slots: pushed only when free; reported only while live, a store's rows captured once and before it is done
    live <= live & ~slot_done & ~slot_fault;
    captured <= captured | slot_rd_done;
    if (push) begin
      live[push_ptr] <= 1'b1;
      captured[push_ptr] <= 1'b0;
      push_ptr <= push_ptr + 1'b1;
      if (live[push_ptr]) bench_errors <= bench_errors + 1;
    end
    if ((slot_done & ~live) != '0 || (slot_rd_done & ~live) != '0 ||
        (slot_rd_done & captured) != '0 || (slot_done & slot_fault) != '0)
      bench_errors <= bench_errors + 1;

    // fetch: the request holds until it is taken
    if (!if_req || if_gnt) if_req <= fetch_on && random[31:24] < 8'd128;
    if (if_req && if_gnt) fetch_asked <= fetch_asked + 1;
    if (if_rvalid) begin
      fetched <= fetched + 1;
      if (if_rerr) fetch_errors <= fetch_errors + 1;
      else if (if_rdata[63:0] != fetch_base + 64'({fetched[9:0], 6'd0}))
        bench_errors <= bench_errors + 1;
    end

    if (m_axi_arvalid && m_axi_arready && m_axi_arid[1:0] == 2'd1)
      elem_beats <= elem_beats + 32'(m_axi_arlen) + 1;
    if (m_axi_arvalid && m_axi_arready && m_axi_arid[1:0] == 2'd2)
      scale_beats <= scale_beats + 32'(m_axi_arlen) + 1;
    in_flight <= in_flight +
        ((m_axi_arvalid && m_axi_arready && m_axi_arid[1:0] != 2'd0) ? 32'(m_axi_arlen) + 1 : 0) -
        32'(m_axi_rvalid && m_axi_rready && m_axi_rid[1:0] != 2'd0);
    if (in_flight > in_flight_peak) in_flight_peak <= in_flight;

    if (abort || rst) begin
      live <= '0;
      captured <= '0;
      push_ptr <= '0;
      if_req <= 1'b0;
      fetch_asked <= 0;
      fetched <= 0;
    end
    if (flush) begin
      live <= '0;
      if (!idle) bench_errors <= bench_errors + 1;
    end
    if (rst) begin
      random <= 32'h1badcafe;
      fetch_errors <= 0;
      bench_errors <= 0;
      elem_beats <= 0;
      scale_beats <= 0;
      rows_written <= 0;
      in_flight <= 0;
      in_flight_peak <= 0;
    end
  end
endmodule

`default_nettype wire
