// axi_read_arbiter: merges instruction fetch and data bursts into one AXI read-address channel, fetch first.
// A request taken in one cycle is on the channel in the next one; one a cycle.
// Specified in docs/microarchitecture.md, "HBM unit".
`timescale 1ns / 1ps
`default_nettype none

module axi_read_arbiter #(
    parameter logic [1:0] ID_FETCH = 2'd0,  // id in the group of instruction lines
    parameter logic [1:0] ID_ELEM  = 2'd1,  // id in the group of element beats
    parameter logic [1:0] ID_SCALE = 2'd2   // id in the group of scale beats
) (
    input  wire logic        clk,        // clock
    input  wire logic        rst,        // synchronous reset
    input  wire logic [ 1:0] group,      // group of AXI ids
    output logic             step,       // a request is taken, from either side
    // instruction fetch, one beat a request
    input  wire logic        if_req,     // request
    input  wire logic [63:0] if_addr,    // byte address, 64-byte aligned
    output logic             if_gnt,     // taken
    // AXI read address channel
    `include "axi_read_ports.svh"
    // data
    input  wire logic        dma_req,    // request
    input  wire logic        dma_scale,  // 1: scale beats, 0: element beats
    input  wire logic [63:0] dma_addr,   // byte address, 64-byte aligned
    input  wire logic [ 7:0] dma_len,    // beats - 1
    output logic             dma_gnt     // taken
);
  // An abort leaves this module alone: a request on the channel stands until it is taken.
  logic free;

  assign free = !m_axi_arvalid || m_axi_arready;
  assign if_gnt = free;
  assign dma_gnt = free && !if_req;
  assign step = free && (if_req || dma_req);
  assign m_axi_arsize = 3'd6;
  assign m_axi_arburst = 2'b01;

  always_ff @(posedge clk) begin
    if (free) begin
      m_axi_arvalid <= if_req || dma_req;
      if (if_req || dma_req) begin
        m_axi_arid   <= {group, if_req ? ID_FETCH : dma_scale ? ID_SCALE : ID_ELEM};
        m_axi_araddr <= if_req ? if_addr : dma_addr;
        m_axi_arlen  <= if_req ? 8'd0 : dma_len;
      end
    end
    if (rst) m_axi_arvalid <= 1'b0;
  end

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_STANDS(read_address_stands, m_axi_arvalid, m_axi_arready, ({
                       m_axi_arid, m_axi_araddr, m_axi_arlen}),
                       "a read address goes or changes before it is taken")
  always @(posedge clk)
    if (m_axi_arvalid !== 1'b0) begin
      `PLENA_ASSERT_HERE(read_address_aligned, m_axi_araddr[5:0] == 6'd0,
                         "a read does not begin at a multiple of 64")
      `PLENA_ASSERT_HERE(read_address_page, 15'({m_axi_araddr[11:6]}) + 15'(m_axi_arlen) <= 15'd63,
                         "a read burst crosses a multiple of 4 KiB")
    end
endmodule

`default_nettype wire
