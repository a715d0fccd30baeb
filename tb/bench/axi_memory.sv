// AXI4 memory model for the bench: 64-byte INCR bursts, seeded random back-pressure, an error range, a channel that dies.
// A read samples memory when accepted, answers `latency` cycles later; a write lands with its B. Of any rate_cycles cycles
// at most rate_beats move a beat of read data, and as many one of write data.
// Specified in docs/bench.md.
`timescale 1ns / 1ps
`default_nettype none

module axi_memory #(
    parameter int BYTES = 1 << 20  // bytes of storage, a multiple of 64; DECERR behind it
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset: forgets every transfer, keeps the contents

    input wire logic [15:0] latency,  // cycles from a handshake to first data or B, >= 1
    input wire logic [7:0] jitter,  // chance in 256 that a channel pauses; 0 is none
    input wire logic [31:0] seed,  // seed of the pauses, taken during reset
    input wire logic [7:0] rate_beats,  // bandwidth: beats of each direction that move in rate_cycles cycles, >= 1
    input wire logic [7:0] rate_cycles,  // cycles in which so many beats may move, >= rate_beats
    input wire logic [7:0] fill,  // what bytes that nobody wrote read as
    input wire logic [63:0] err_lo,  // beats that touch err_lo .. err_hi-1 answer SLVERR
    input wire logic [63:0] err_hi,  // end of the error range; 0 means no range
    input wire logic [2:0] stall,  // channel that dies: 1 AR, 2 R, 3 AW, 4 W, 5 B; 0 none
    input wire logic [31:0] stall_after,  // transfers of that channel that still take place
    input wire logic stall_restart,  // count them from now on
    input wire logic lose,  // what R or B does not answer is lost (its writes too); else it comes when the stall ends

    input  wire logic [  3:0] arid,     // read address channel
    input  wire logic [ 63:0] araddr,   // read address, 64-byte aligned
    input  wire logic [  7:0] arlen,    // beats - 1
    input  wire logic         arvalid,  // read address valid
    output logic              arready,  // read address ready
    output logic      [  3:0] rid,      // read data channel
    output logic      [511:0] rdata,    // read data
    output logic      [  1:0] rresp,    // 0 OKAY, 2 SLVERR, 3 DECERR
    output logic              rlast,    // last beat of its burst
    output logic              rvalid,   // read data valid
    input  wire logic         rready,   // read data ready
    input  wire logic [  3:0] awid,     // write address channel
    input  wire logic [ 63:0] awaddr,   // write address, 64-byte aligned
    input  wire logic         awvalid,  // write address valid
    output logic              awready,  // write address ready
    input  wire logic [511:0] wdata,    // write data
    input  wire logic [ 63:0] wstrb,    // byte enables
    input  wire logic         wlast,    // last beat of its burst
    input  wire logic         wvalid,   // write data valid
    output logic              wready,   // write data ready
    output logic      [  3:0] bid,      // write response channel
    output logic      [  1:0] bresp,    // 0 OKAY, 2 SLVERR, 3 DECERR
    output logic              bvalid,   // response valid
    input  wire logic         bready,   // response ready

    output logic [63:0] low_water,  // lowest byte written since reset; all ones before the first
    output logic [63:0] high_water  // byte behind the highest one written since reset
);
  localparam int REQUESTS = 128;  // waiting bursts a queue
  localparam int BEATS = 1024;  // beats on their way, each direction

  initial begin
    if (BYTES < 64 || BYTES % 64 != 0 || BYTES > (1 << 30) + (4 << 20))
      $fatal(1, "axi_memory: BYTES=%0d must be a multiple of 64, at most 2^30 + 2^22", BYTES);
  end

  // Contents ^ fill: two-state words start at 0, so storage that nobody touched reads as fill at no cost.
  bit [63:0] mem[0:BYTES/8-1];

  // Waiting read bursts, one queue for even and one for odd IDs: order is kept inside an ID, not across.
  logic [3:0] ar_id[0:2*REQUESTS-1];
  logic [63:0] ar_addr[0:2*REQUESTS-1];
  logic [7:0] ar_len[0:2*REQUESTS-1];
  logic [31:0] ar_order[0:2*REQUESTS-1];
  int ar_head[0:1];
  int ar_count[0:1];
  logic [31:0] ar_accepted;
  logic busy;  // the burst at the head of queue `lane` is being read
  logic lane;
  logic [7:0] beat;

  // Read beats on their way back.
  logic [511:0] r_data[0:BEATS-1];
  logic [3:0] r_id[0:BEATS-1];
  logic [1:0] r_resp[0:BEATS-1];
  logic r_last[0:BEATS-1];
  logic [31:0] r_due[0:BEATS-1];
  int r_head, r_count;

  // Waiting write bursts, and write beats on their way to the storage.
  logic [ 3:0] aw_id  [0:REQUESTS-1];
  logic [63:0] aw_addr[0:REQUESTS-1];
  int aw_head, aw_count;
  logic [63:0] w_addr_offset;
  logic [511:0] w_data[0:BEATS-1];
  logic [63:0] w_strb[0:BEATS-1];
  logic [63:0] w_addr[0:BEATS-1];
  logic [3:0] w_id[0:BEATS-1];
  logic w_last[0:BEATS-1];
  logic [31:0] w_due[0:BEATS-1];
  int w_head, w_count;
  logic [ 1:0] w_resp;  // worst response of the burst so far

  logic [31:0] now;
  logic [63:0] random;
  logic [31:0] moved;  // transfers of the channel that dies
  logic dead_ar, dead_r, dead_aw, dead_w, dead_b;
  logic losing_r;  // the rest of a read burst is lost

  // Every cycle earns each direction rate_beats, a beat costs rate_cycles; what is not used soon is forfeit.
  logic [9:0] read_credit, write_credit, most_credit;

  function automatic logic [1:0] response(input logic [63:0] addr);
    response = 2'd0;
    if (err_hi != 0 && addr + 64 > err_lo && addr < err_hi) response = 2'd2;
    if (addr >= 64'(BYTES)) response = 2'd3;
  endfunction

  // Scratch of the one process below.
  int at;
  int word;
  logic [63:0] address;
  logic [63:0] old;
  logic [31:0] delay;

  always @(posedge clk) begin
    if (rst) begin
      arready <= 1'b0;
      rvalid  <= 1'b0;
      awready <= 1'b0;
      wready  <= 1'b0;
      bvalid  <= 1'b0;
      low_water = '1;
      high_water = 0;
      ar_head[0] = 0;
      ar_head[1] = 0;
      ar_count[0] = 0;
      ar_count[1] = 0;
      ar_accepted = 0;
      busy = 1'b0;
      r_head = 0;
      r_count = 0;
      aw_head = 0;
      aw_count = 0;
      w_addr_offset = 0;
      w_head = 0;
      w_count = 0;
      w_resp = 2'd0;
      now = 0;
      moved = 0;
      losing_r = 1'b0;
      read_credit = 10'd0;
      write_credit = 10'd0;
      random = {seed, ~seed} ^ 64'h9E3779B97F4A7C15;
    end else begin
      now = now + 1;
      if (jitter != 0) begin
        random = random ^ (random << 13);
        random = random ^ (random >> 7);
        random = random ^ (random << 17);
      end

      if (stall_restart) moved = 0;
      if ((stall == 3'd1 && arvalid && arready) || (stall == 3'd3 && awvalid && awready) ||
          (stall == 3'd4 && wvalid && wready))
        moved = moved + 1;
      dead_ar = stall == 3'd1 && moved >= stall_after;
      dead_r  = stall == 3'd2 && moved >= stall_after;
      dead_aw = stall == 3'd3 && moved >= stall_after;
      dead_w  = stall == 3'd4 && moved >= stall_after;
      dead_b  = stall == 3'd5 && moved >= stall_after;

      // Read requests in.
      if (arvalid && arready) begin
        at = int'(arid[0]) * REQUESTS + (ar_head[arid[0]] + ar_count[arid[0]]) % REQUESTS;
        ar_id[at] = arid;
        ar_addr[at] = araddr;
        ar_len[at] = arlen;
        ar_order[at] = ar_accepted;
        ar_accepted = ar_accepted + 1;
        ar_count[arid[0]] = ar_count[arid[0]] + 1;
      end
      // One beat a cycle is read from the storage.
      if (!busy && (ar_count[0] != 0 || ar_count[1] != 0)) begin
        busy = 1'b1;
        beat = 8'd0;
        if (ar_count[0] == 0) lane = 1'b1;
        else if (ar_count[1] == 0) lane = 1'b0;
        else if (jitter != 0) lane = random[40];
        else lane = $signed(ar_order[REQUESTS+ar_head[1]] - ar_order[ar_head[0]]) < 0;
      end
      if (busy && r_count != BEATS) begin
        at = int'(lane) * REQUESTS + ar_head[lane];
        address = {ar_addr[at][63:6] + 58'(beat), 6'd0};
        word = (r_head + r_count) % BEATS;
        r_id[word] = ar_id[at];
        r_last[word] = beat == ar_len[at];
        r_resp[word] = response(address);
        delay = 32'(latency);
        if (jitter != 0 && beat == 0) delay = delay + 32'(random[45:41]);
        r_due[word] = now + delay;
        if (r_resp[word] == 2'd0) begin
          for (int k = 0; k < 8; k++) begin
            r_data[word][k*64+:64] = mem[int'(address[31:3])+k] ^ {8{fill}};
          end
        end else r_data[word] = {64{~fill}};
        r_count = r_count + 1;
        if (beat == ar_len[at]) begin
          busy = 1'b0;
          ar_head[lane] = (ar_head[lane] + 1) % REQUESTS;
          ar_count[lane] = ar_count[lane] - 1;
        end
        beat = beat + 1;
      end
      most_credit = 10'(rate_cycles) + 10'(rate_beats) - 10'd1;
      read_credit = read_credit + 10'(rate_beats);
      if (read_credit > most_credit) read_credit = most_credit;
      // Read data out.
      if (!rvalid || rready) begin
        if (r_count != 0 && (losing_r || (dead_r && lose))) begin
          losing_r = !r_last[r_head];
          r_head   = (r_head + 1) % BEATS;
          r_count  = r_count - 1;
          rvalid <= 1'b0;
        end else if (!dead_r && r_count != 0 && $signed(
                r_due[r_head] - now
            ) <= 1 && random[7:0] >= jitter && read_credit >= 10'(rate_cycles)) begin
          rvalid <= 1'b1;
          read_credit = read_credit - 10'(rate_cycles);
          rid   <= r_id[r_head];
          rdata <= r_data[r_head];
          rresp <= r_resp[r_head];
          rlast <= r_last[r_head];
          r_head  = (r_head + 1) % BEATS;
          r_count = r_count - 1;
          if (stall == 3'd2) moved = moved + 1;
        end else rvalid <= 1'b0;
      end
      arready <= !dead_ar && ar_count[0] < REQUESTS && ar_count[1] < REQUESTS && random[15:8] >= jitter;

      // Write requests and data in.
      if (awvalid && awready) begin
        at = (aw_head + aw_count) % REQUESTS;
        aw_id[at] = awid;
        aw_addr[at] = awaddr;
        aw_count = aw_count + 1;
      end
      if (wvalid && wready) begin
        write_credit = write_credit - 10'(rate_cycles);
        at = (w_head + w_count) % BEATS;
        w_data[at] = wdata;
        w_strb[at] = wstrb;
        w_addr[at] = {aw_addr[aw_head][63:6] + w_addr_offset[57:0], 6'd0};
        w_id[at] = aw_id[aw_head];
        w_last[at] = wlast;
        w_due[at] = now + 32'(latency);
        w_count = w_count + 1;
        w_addr_offset = w_addr_offset + 1;
        if (wlast) begin
          w_addr_offset = 0;
          aw_head = (aw_head + 1) % REQUESTS;
          aw_count = aw_count - 1;
        end
      end
      // Write data lands; the last beat of a burst only together with its response.
      if (bvalid && bready) bvalid <= 1'b0;
      if (w_count != 0 && $signed(w_due[w_head] - now) <= 1) begin
        if (dead_b && lose) begin
          w_resp  = 2'd0;
          w_head  = (w_head + 1) % BEATS;
          w_count = w_count - 1;
        end else if (!w_last[w_head] || (!dead_b && (!bvalid || bready) && random[23:16] >= jitter)) begin
          address = w_addr[w_head];
          if (response(address) > w_resp) w_resp = response(address);
          if (response(address) == 2'd0) begin
            for (int k = 0; k < 8; k++) begin
              word = int'(address[31:3]) + k;
              old  = mem[word];
              for (int b = 0; b < 8; b++) begin
                if (w_strb[w_head][k*8+b]) begin
                  old[b*8+:8] = w_data[w_head][(k*8+b)*8+:8] ^ fill;
                  if (address + 64'(k * 8 + b) >= high_water) begin
                    high_water = address + 64'(k * 8 + b) + 1;
                  end
                  if (address + 64'(k * 8 + b) < low_water) low_water = address + 64'(k * 8 + b);
                end
              end
              mem[word] = old;
            end
          end
          if (w_last[w_head]) begin
            bvalid <= 1'b1;
            bid <= w_id[w_head];
            bresp <= w_resp;
            w_resp = 2'd0;
            if (stall == 3'd5) moved = moved + 1;
          end
          w_head  = (w_head + 1) % BEATS;
          w_count = w_count - 1;
        end
      end
      write_credit = write_credit + 10'(rate_beats);
      if (write_credit > most_credit) write_credit = most_credit;
      awready <= !dead_aw && aw_count < REQUESTS && random[31:24] >= jitter;
      wready <= !dead_w && aw_count != 0 && w_count < BEATS && random[39:32] >= jitter &&
          write_credit >= 10'(rate_cycles);
    end
  end
endmodule
`default_nettype wire
