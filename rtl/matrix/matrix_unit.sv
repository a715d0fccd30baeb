// Matrix unit: in-order queue of M_MM, M_TMM and M_MM_WO, operand fetch ahead of the systolic array, write-out.
// Timing: an M_MM, or an M_MM and the M_MM_WO behind it, every BLEN cycles; result rows reach VRAM about 3*BLEN cycles after the fetch.
// Specified in docs/microarchitecture.md, "Matrix unit"; results in docs/isa.md, "Matrix instructions".
`timescale 1ns / 1ps
`default_nettype none

module matrix_unit #(
    parameter int MLEN = 64,  // elements of a row, edge of a tile
    parameter int BLEN = 16,  // rows of an operand, edge of a mini-array
    parameter int VRW  = 14,  // bits of a VRAM row number
    parameter int TW   = 6,   // bits of a tile number
    parameter int Q    = 32   // slots of the queue; a power of two
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    input wire logic flush,  // drop instructions not issued yet; slot numbers go on
    input wire logic init,  // the accumulators become +0; only while every slot is done
    // push
    input wire logic push,  // an instruction enters
    input wire logic [1:0] push_op,  // 0 M_MM, 1 M_TMM, 2 M_MM_WO
    input wire logic [VRW-1:0] push_row,  // first VRAM row read, or written
    input wire logic [VRW-1:0] push_stride,  // M_MM_WO: VRAM rows from one result row to the next
    input wire logic [TW-1:0] push_tile,  // MSRAM tile
    input wire logic [$clog2(
MLEN
)-1:0] push_off,  // first column (M_MM), row (M_TMM) of the tile; column of M_MM_WO
    // scoreboard
    input wire logic [Q-1:0] slot_ready,  // no dependency left
    output logic [Q-1:0] slot_rd_done,  // never set: slot_done of a product says that its sources are read
    output logic [Q-1:0] slot_done,  // product: last pair read; write-out: last row taken
    // counters: the head is the oldest instruction that has not issued
    output logic [$clog2(Q)-1:0] head,  // its slot
    output logic head_valid,  // there is one
    output logic head_issues,  // it issues, or an operand pair is read
    output logic head_waits,  // it waits for other instructions
    output logic head_refused,  // VRAM withholds an operand row
    output logic busy,  // a product is in the array
    output logic [31:0] macs,  // useful multiply-accumulates of the pair that is read
    // VRAM read port
    output logic rd_req,  // request
    output logic [VRW-1:0] rd_row,  // row
    input wire logic rd_gnt,  // taken; data in the next cycle
    input wire logic [MLEN*16-1:0] rd_data,  // data
    // MSRAM read port
    output logic ms_rd_en,  // read, always taken
    output logic ms_rd_col,  // 1: a column, 0: a row
    output logic [TW-1:0] ms_rd_tile,  // tile
    output logic [$clog2(MLEN)-1:0] ms_rd_idx,  // row or column number
    input wire logic [MLEN*16-1:0] ms_rd_data,  // data, in the next cycle
    // VRAM write port
    output logic wr_req,  // request
    output logic [VRW-1:0] wr_row,  // row
    output logic [MLEN*16-1:0] wr_data,  // data
    output logic [MLEN/BLEN-1:0] wr_mask,  // blocks of BLEN elements that are written
    input wire logic wr_gnt  // taken
);
  localparam int P = MLEN / BLEN;
  localparam int LM = $clog2(MLEN);
  localparam int LB = $clog2(BLEN);
  localparam int QW = $clog2(Q);
  localparam int PAIRS = 4;  // operand pairs fetched ahead; 3 hide the latency of a fetch
  localparam int PW = $clog2(PAIRS);
  localparam int TAG = 4;  // bits of a product's number; at most PAIRS products are fetched and not begun
  localparam int SETTLED = 2 * BLEN;  // array cycles from a product's first pair to the drain of its sums
  localparam int SW = $clog2(SETTLED + 1);
  localparam logic [1:0] MM = 2'd0;
  localparam logic [1:0] WRITEOUT = 2'd2;

  initial begin
    if (MLEN < 8 || (MLEN & (MLEN - 1)) != 0)
      $fatal(1, "matrix_unit: MLEN=%0d must be a power of two of at least 8", MLEN);
    if (BLEN < 4 || BLEN > MLEN || (BLEN & (BLEN - 1)) != 0)
      $fatal(1, "matrix_unit: BLEN=%0d must be a power of two of 4 to MLEN=%0d", BLEN, MLEN);
    if (Q < 2 || (Q & (Q - 1)) != 0)
      $fatal(1, "matrix_unit: Q=%0d must be a power of two of at least 2", Q);
  end

  // Queue of slots. A write-out's payload stays in its slot until its last row is written.
  logic [  Q-1:0] waiting;  // pushed, not issued yet
  logic [ QW-1:0] tail;  // slot of the next push
  logic [    1:0] q_op                               [0:Q-1];
  logic [VRW-1:0] q_row                              [0:Q-1];
  logic [VRW-1:0] q_stride                           [0:Q-1];
  logic [ TW-1:0] q_tile                             [0:Q-1];
  logic [ LM-1:0] q_off                              [0:Q-1];

  always_ff @(posedge clk) begin
    if (push) begin
      q_op[tail] <= push_op;
      q_row[tail] <= push_row;
      q_stride[tail] <= push_stride;
      q_tile[tail] <= push_tile;
      q_off[tail] <= push_off;
    end
  end

  // Issue. A write-out at the head takes no time: the product behind it may begin to fetch in the same cycle.
  logic issue_wo;
  logic fetch;
  logic [QW-1:0] source;  // slot that fetches
  logic [LB-1:0] fetch_index;  // pair that it asks for
  logic fetched;  // a pair is read in this cycle
  logic fetched_last;
  logic [PW:0] pair_places;  // free places for pairs, those on their way counted as taken

  assign issue_wo = waiting[head] && slot_ready[head] && q_op[head] == WRITEOUT;
  assign source = issue_wo ? head + 1'b1 : head;
  assign fetch = waiting[source] && slot_ready[source] && q_op[source] != WRITEOUT;
  assign rd_req = fetch && pair_places != '0;
  assign rd_row = q_row[source] + VRW'(fetch_index);
  assign fetched = rd_req && rd_gnt;
  assign fetched_last = fetched && fetch_index == LB'(BLEN - 1);
  assign ms_rd_en = fetched;
  assign head_valid = waiting[head];
  assign head_issues = issue_wo || fetched;
  assign head_waits = waiting[head] && !slot_ready[head];
  assign head_refused = rd_req && !rd_gnt;
  assign macs = fetched ? 32'(MLEN * BLEN) : 32'd0;
  assign ms_rd_col = q_op[source] == MM;
  assign ms_rd_tile = q_tile[source];
  assign ms_rd_idx = q_off[source] + LM'(fetch_index);

  always_ff @(posedge clk) begin
    if (rst) begin
      waiting <= '0;
      tail <= '0;
      head <= '0;
      fetch_index <= '0;
    end else begin
      if (push) tail <= tail + 1'b1;
      if (flush) begin
        waiting <= '0;
        head <= tail;
      end else begin
        head <= source + {{(QW - 1) {1'b0}}, fetched_last};
        if (issue_wo) waiting[head] <= 1'b0;
        if (fetched_last) waiting[source] <= 1'b0;
        if (push) waiting[tail] <= 1'b1;
      end
      if (fetched) fetch_index <= fetch_index + 1'b1;
    end
  end

  // Order of products and write-outs: products are numbered as they begin to fetch, and a write-out remembers the
  // number of the next one.
  logic [TAG-1:0] next_product;
  logic [TAG-1:0] wo_tag  [0:Q-1];
  logic [ QW-1:0] wo_slot [0:Q-1];
  logic [ QW-1:0] wo_tail;  // next free entry
  logic [   QW:0] wo_pending;  // write-outs issued and not yet turned over to the array
  logic [ QW-1:0] wo_turn;  // oldest of them
  logic [ QW-1:0] wo_write;  // oldest write-out that is not done
  logic turn;  // hand the oldest over: the sums so far are its result
  logic wo_done;

  always_ff @(posedge clk) begin
    if (rst) begin
      next_product <= '0;
      wo_tail <= '0;
      wo_turn <= '0;
      wo_write <= '0;
      wo_pending <= '0;
    end else begin
      if (fetched && fetch_index == '0) next_product <= next_product + 1'b1;
      if (issue_wo) wo_tail <= wo_tail + 1'b1;
      if (turn) wo_turn <= wo_turn + 1'b1;
      if (wo_done) wo_write <= wo_write + 1'b1;
      if (issue_wo != turn) wo_pending <= issue_wo ? wo_pending + 1'b1 : wo_pending - 1'b1;
    end
    if (issue_wo) begin
      wo_tag[wo_tail]  <= next_product;
      wo_slot[wo_tail] <= head;
    end
  end

  // Operand pairs.
  logic [MLEN*16-1:0] pair_a[0:PAIRS-1];
  logic [MLEN*16-1:0] pair_b[0:PAIRS-1];
  logic arriving;
  logic [PW-1:0] pair_tail;
  logic [PW-1:0] pair_head;
  logic [PW:0] pairs;
  logic load;

  always_ff @(posedge clk) begin
    if (rst) begin
      arriving <= 1'b0;
      pair_tail <= '0;
      pair_head <= '0;
      pairs <= '0;
      pair_places <= (PW + 1)'(PAIRS);
    end else begin
      arriving <= fetched;
      if (arriving) pair_tail <= pair_tail + 1'b1;
      if (load) pair_head <= pair_head + 1'b1;
      if (arriving != load) pairs <= arriving ? pairs + 1'b1 : pairs - 1'b1;
      if (fetched != load) pair_places <= load ? pair_places + 1'b1 : pair_places - 1'b1;
    end
    if (arriving) begin
      pair_a[pair_tail] <= rd_data;
      pair_b[pair_tail] <= ms_rd_data;
    end
  end

  // Array time. Products alternate between two accumulator banks at every write-out. A bank is owed from the turn until
  // its drain is under way; the first pair of a product may enter a bank in the cycle in which the drain starts, as
  // the drain keeps one row ahead of it.
  logic advance;
  logic wo_next;  // a write-out comes before the next product
  logic [LB-1:0] load_index;
  logic [TAG-1:0] begun;  // number of the next product to enter the array
  logic fresh;  // the next product starts from +0
  logic bank;  // bank of the next product
  logic load_bank;  // bank of the product that is entering
  logic [1:0] owed;
  logic [1:0] zero;  // the owed result has no product: +0
  logic [1:0] start;  // the drain of a bank starts
  logic [SW-1:0] age0;  // array cycles since the last product entered bank 0, at most SETTLED
  logic [SW-1:0] age1;
  logic next_drain;  // bank whose turn it is to drain
  logic draining;
  logic drain_bank;
  logic drain_zero;
  logic [LB-1:0] drain_row;
  logic drain_free;
  logic room;

  assign wo_next = wo_pending != '0 && wo_tag[wo_turn] == begun;
  assign turn = wo_next && !owed[bank];
  assign advance = load_index == '0 || pairs != '0;
  assign busy = load || age0 != SW'(SETTLED) || age1 != SW'(SETTLED);
  assign drain_free = advance && room && (!draining || drain_row == LB'(BLEN - 1));
  assign start[0] = drain_free && !next_drain && owed[0] && age0 == SW'(SETTLED);
  assign start[1] = drain_free && next_drain && owed[1] && age1 == SW'(SETTLED);
  assign load = pairs != '0 && (load_index != '0 || (!wo_next && (!owed[bank] || start[bank])));
  assign load_bank = (load_index == '0) ? bank : wave_bank;

  logic wave_bank;
  always_ff @(posedge clk) begin
    if (rst) begin
      load_index <= '0;
      begun <= '0;
      fresh <= 1'b1;
      bank <= 1'b0;
      owed <= '0;
      zero <= '0;
      age0 <= SW'(SETTLED);
      age1 <= SW'(SETTLED);
      next_drain <= 1'b0;
      draining <= 1'b0;
      wave_bank <= 1'b0;
      drain_bank <= 1'b0;
      drain_zero <= 1'b0;
      drain_row <= '0;
    end else begin
      if (load) load_index <= load_index + 1'b1;
      if (load && load_index == '0) begin
        begun <= begun + 1'b1;
        wave_bank <= bank;
      end
      if (init || turn) fresh <= 1'b1;
      else if (load && load_index == '0) fresh <= 1'b0;
      if (turn) begin
        bank <= !bank;
        zero[bank] <= fresh;
      end
      owed <= (owed & ~start) | (turn ? (bank ? 2'b10 : 2'b01) : 2'b00);
      if (advance) begin
        if (load && load_index == '0 && !bank) age0 <= SW'(1);
        else if (age0 != SW'(SETTLED)) age0 <= age0 + 1'b1;
        if (load && load_index == '0 && bank) age1 <= SW'(1);
        else if (age1 != SW'(SETTLED)) age1 <= age1 + 1'b1;
        if (start != '0) begin
          next_drain <= !next_drain;
          draining   <= 1'b1;
          drain_bank <= next_drain;
          drain_zero <= zero[next_drain];
          drain_row  <= '0;
        end else if (draining) begin
          drain_row <= drain_row + 1'b1;
          if (drain_row == LB'(BLEN - 1)) draining <= 1'b0;
        end
      end
    end
  end

  logic row_valid;
  logic [MLEN*32-1:0] row_data;
  systolic_array #(
      .MLEN(MLEN),
      .BLEN(BLEN)
  ) u_array (
      .clk(clk),
      .rst(rst),
      .advance(advance),
      .load(load),
      .load_idx(load_index),
      .load_fresh(fresh && load_index == '0),
      .load_bank(load_bank),
      .load_a(pair_a[pair_head]),
      .load_b(pair_b[pair_head]),
      .drain(draining),
      .drain_zero(drain_zero),
      .drain_bank(drain_bank),
      .drain_row(drain_row),
      .row_valid(row_valid),
      .row_data(row_data)
  );

  logic [QW-1:0] wo_source;
  logic [ P-1:0] wo_mask;
  assign wo_source = wo_slot[wo_write];
  assign wo_mask   = {{(P - 1) {1'b0}}, 1'b1} << (q_off[wo_source] >> LB);

  writeout #(
      .MLEN(MLEN),
      .BLEN(BLEN),
      .VRW (VRW)
  ) u_writeout (
      .clk(clk),
      .rst(rst),
      .room(room),
      .reserve(start != '0),
      .row_valid(row_valid),
      .row_data(row_data),
      .to_row(q_row[wo_source]),
      .to_stride(q_stride[wo_source]),
      .to_mask(wo_mask),
      .done(wo_done),
      .wr_req(wr_req),
      .wr_row(wr_row),
      .wr_data(wr_data),
      .wr_mask(wr_mask),
      .wr_gnt(wr_gnt)
  );

  assign slot_rd_done = '0;
  always_comb begin
    slot_done = '0;
    if (fetched_last) slot_done[source] = 1'b1;
    if (wo_done) slot_done[wo_source] = 1'b1;
  end
endmodule

`default_nettype wire
