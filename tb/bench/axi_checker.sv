// axi_checker: watches an AXI4 bus of 64-byte beats and counts violations of the protocol, each with a message.
// Samples at the rising clock edge; counts appear in the next cycle. For Icarus and Verilator, not for synthesis.
// Specified in docs/microarchitecture.md, "HBM unit"; rules after the AMBA AXI4 specification.
`timescale 1ns / 1ps
`default_nettype none

module axi_checker #(
    parameter int STOP  = 0,   // 1: end the simulation at the first violation
    parameter int DEPTH = 256  // bursts that may be open for one id
) (
    input  wire logic         clk,       // clock
    input  wire logic         rst,       // synchronous reset: forgets everything
    output logic      [ 31:0] errors,    // violations since reset
    output logic      [ 15:0] violated,  // one bit a rule, in the order of the localparams below
    input  wire logic [  3:0] awid,      // write address channel
    input  wire logic [ 63:0] awaddr,    // address
    input  wire logic [  7:0] awlen,     // beats - 1
    input  wire logic [  2:0] awsize,    // log2 of the bytes in a beat
    input  wire logic [  1:0] awburst,   // burst type
    input  wire logic         awvalid,   // valid
    input  wire logic         awready,   // ready
    input  wire logic [511:0] wdata,     // write data channel
    input  wire logic [ 63:0] wstrb,     // byte strobes
    input  wire logic         wlast,     // last beat
    input  wire logic         wvalid,    // valid
    input  wire logic         wready,    // ready
    input  wire logic [  3:0] bid,       // write response channel
    input  wire logic [  1:0] bresp,     // response
    input  wire logic         bvalid,    // valid
    input  wire logic         bready,    // ready
    input  wire logic [  3:0] arid,      // read address channel
    input  wire logic [ 63:0] araddr,    // address
    input  wire logic [  7:0] arlen,     // beats - 1
    input  wire logic [  2:0] arsize,    // log2 of the bytes in a beat
    input  wire logic [  1:0] arburst,   // burst type
    input  wire logic         arvalid,   // valid
    input  wire logic         arready,   // ready
    input  wire logic [  3:0] rid,       // read data channel
    input  wire logic [511:0] rdata,     // data
    input  wire logic [  1:0] rresp,     // response
    input  wire logic         rlast,     // last beat
    input  wire logic         rvalid,    // valid
    input  wire logic         rready     // ready
);
  localparam logic [3:0] AW_4K = 4'd0;  // a write burst crosses a 4 KiB boundary
  localparam logic [3:0] AR_4K = 4'd1;  // a read burst crosses a 4 KiB boundary
  localparam logic [3:0] AW_FORM = 4'd2;  // write burst of a reserved type or with beats wider than the bus
  localparam logic [3:0] AR_FORM = 4'd3;  // read burst of a reserved type or with beats wider than the bus
  localparam logic [3:0] AW_STABLE = 4'd4;  // AWVALID fell or its payload changed before AWREADY
  localparam logic [3:0] W_STABLE = 4'd5;  // the same for W
  localparam logic [3:0] B_STABLE = 4'd6;  // the same for B
  localparam logic [3:0] AR_STABLE = 4'd7;  // the same for AR
  localparam logic [3:0] R_STABLE = 4'd8;  // the same for R
  localparam logic [3:0] W_LAST = 4'd9;  // WLAST is not on the last beat of its burst
  localparam logic [3:0] R_LAST = 4'd10;  // RLAST is not on the last beat of the oldest open burst of its id
  localparam logic [3:0] R_OPEN = 4'd11;  // read data with an id that has no open burst
  localparam logic [3:0] B_OPEN = 4'd12;  // response with an id that has no wholly sent write burst
  localparam logic [3:0] KNOWN = 4'd13;  // a VALID or READY, or an address under VALID, is X or Z

  // Open bursts: lengths of the reads of each id in order, writes whose data is not complete, data that came before its
  // address, and wholly sent writes of each id.
  logic [7:0] r_len[0:16*DEPTH-1];
  int r_head[0:15];
  int r_count[0:15];
  int r_beat[0:15];
  logic [7:0] aw_len[0:DEPTH-1];
  logic [3:0] aw_id[0:DEPTH-1];
  int aw_head, aw_count;
  int w_len[0:DEPTH-1];
  int w_head, w_count, w_beat;
  int b_count[0:15];

  // Stalled in the cycle before, and the payload it had then.
  logic aw_stalled, w_stalled, b_stalled, ar_stalled, r_stalled;
  logic [ 80:0] aw_was;
  logic [576:0] w_was;
  logic [  5:0] b_was;
  logic [ 80:0] ar_was;
  logic [518:0] r_was;

  task automatic fail(input logic [3:0] rule, input logic [8*48-1:0] text);
    errors = errors + 1;
    violated[rule] = 1'b1;
    $display("%0t %m: AXI violation: %0s", $time, text);
    if (STOP != 0) $fatal(1, "axi_checker: %0s", text);
  endtask

  function automatic logic crosses(input logic [11:0] addr, input logic [7:0] len,
                                   input logic [2:0] size);
    logic [31:0] first;
    first   = ({20'd0, addr} >> size) << size;
    crosses = first + (({24'd0, len} + 32'd1) << size) > 32'd4096;
  endfunction

  int at;

  // One process owns all of the state and uses it step by step within the cycle.
  // verilator lint_off BLKSEQ
  always @(posedge clk) begin
    if (rst) begin
      errors   = 0;
      violated = '0;
      for (int i = 0; i < 16; i++) begin
        r_head[i]  = 0;
        r_count[i] = 0;
        r_beat[i]  = 0;
        b_count[i] = 0;
      end
      aw_head = 0;
      aw_count = 0;
      w_head = 0;
      w_count = 0;
      w_beat = 0;
      aw_stalled = 1'b0;
      w_stalled = 1'b0;
      b_stalled = 1'b0;
      ar_stalled = 1'b0;
      r_stalled = 1'b0;
    end else begin
      if ((^{awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready})
          === 1'bx)
        fail(KNOWN, "a VALID or READY is unknown");
      if ((awvalid === 1'b1 && (^awaddr) === 1'bx) || (arvalid === 1'b1 && (^araddr) === 1'bx))
        fail(KNOWN, "an address is unknown");

      // Two tests and not one: else Verilator compares the payloads in every cycle.
      if (aw_stalled)
        if (!awvalid || {awid, awaddr, awlen, awsize, awburst} !== aw_was)
          fail(AW_STABLE, "AW changed before AWREADY");
      if (w_stalled)
        if (!wvalid || {wdata, wstrb, wlast} !== w_was) fail(W_STABLE, "W changed before WREADY");
      if (b_stalled)
        if (!bvalid || {bid, bresp} !== b_was) fail(B_STABLE, "B changed before BREADY");
      if (ar_stalled)
        if (!arvalid || {arid, araddr, arlen, arsize, arburst} !== ar_was)
          fail(AR_STABLE, "AR changed before ARREADY");
      if (r_stalled)
        if (!rvalid || {rid, rdata, rresp, rlast} !== r_was)
          fail(R_STABLE, "R changed before RREADY");
      aw_stalled = awvalid && !awready;
      w_stalled  = wvalid && !wready;
      b_stalled  = bvalid && !bready;
      ar_stalled = arvalid && !arready;
      r_stalled  = rvalid && !rready;
      if (aw_stalled) aw_was = {awid, awaddr, awlen, awsize, awburst};
      if (w_stalled) w_was = {wdata, wstrb, wlast};
      if (b_stalled) b_was = {bid, bresp};
      if (ar_stalled) ar_was = {arid, araddr, arlen, arsize, arburst};
      if (r_stalled) r_was = {rid, rdata, rresp, rlast};

      if (arvalid && arready) begin
        if (arburst == 2'b01 && crosses(araddr[11:0], arlen, arsize))
          fail(AR_4K, "read burst crosses a 4 KiB boundary");
        if (arburst == 2'b11 || arsize > 3'd6) fail(AR_FORM, "illegal read burst type or size");
        if (r_count[arid] == DEPTH) $fatal(1, "axi_checker: more than DEPTH=%0d reads open", DEPTH);
        r_len[int'(arid)*DEPTH+(r_head[arid]+r_count[arid])%DEPTH] = arlen;
        r_count[arid] = r_count[arid] + 1;
      end
      if (rvalid && rready) begin
        if (r_count[rid] == 0) fail(R_OPEN, "read data that nobody asked for");
        else begin
          at = int'(r_len[int'(rid)*DEPTH+r_head[rid]]);
          if (rlast !== (r_beat[rid] == at)) fail(R_LAST, "RLAST at the wrong beat");
          r_beat[rid] = r_beat[rid] + 1;
          if (rlast || r_beat[rid] > at) begin
            r_beat[rid]  = 0;
            r_head[rid]  = (r_head[rid] + 1) % DEPTH;
            r_count[rid] = r_count[rid] - 1;
          end
        end
      end

      if (awvalid && awready) begin
        if (awburst == 2'b01 && crosses(awaddr[11:0], awlen, awsize))
          fail(AW_4K, "write burst crosses a 4 KiB boundary");
        if (awburst == 2'b11 || awsize > 3'd6) fail(AW_FORM, "illegal write burst type or size");
        if (aw_count == DEPTH) $fatal(1, "axi_checker: more than DEPTH=%0d writes open", DEPTH);
        aw_len[(aw_head+aw_count)%DEPTH] = awlen;
        aw_id[(aw_head+aw_count)%DEPTH] = awid;
        aw_count = aw_count + 1;
      end
      if (wvalid && wready) begin
        w_beat = w_beat + 1;
        // with its address known, a burst also ends where WLAST is missing
        if (wlast || (w_count == 0 && aw_count != 0 && w_beat > int'(aw_len[aw_head]))) begin
          if (w_count == DEPTH) $fatal(1, "axi_checker: more than DEPTH=%0d writes open", DEPTH);
          if (!wlast) fail(W_LAST, "WLAST is missing");
          w_len[(w_head+w_count)%DEPTH] = w_beat - 1;
          w_count = w_count + 1;
          w_beat = 0;
        end
      end
      if (aw_count != 0 && w_count != 0) begin
        if (w_len[w_head] != int'(aw_len[aw_head])) fail(W_LAST, "WLAST at the wrong beat");
        b_count[aw_id[aw_head]] = b_count[aw_id[aw_head]] + 1;
        aw_head = (aw_head + 1) % DEPTH;
        aw_count = aw_count - 1;
        w_head = (w_head + 1) % DEPTH;
        w_count = w_count - 1;
      end
      if (bvalid && bready) begin
        if (b_count[bid] == 0) fail(B_OPEN, "write response without a write");
        else b_count[bid] = b_count[bid] - 1;
      end
    end
  end
  // verilator lint_on BLKSEQ
endmodule

`default_nettype wire
