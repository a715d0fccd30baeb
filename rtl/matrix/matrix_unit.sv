// Matrix unit: in-order queue of products and write-outs, operand fetch ahead of the systolic array, sums, write-out.
// Timing: a pass every BLEN cycles: M_MM and M_MV are one, write-outs behind them free; result rows reach VRAM about 3*BLEN cycles later.
// Specified in docs/microarchitecture.md, "Matrix unit"; results in docs/isa.md, "Matrix instructions".
`timescale 1ns / 1ps
`default_nettype none

module matrix_unit #(
    parameter int MLEN = 64,  // elements of a row, edge of a tile
    parameter int BLEN = 16,  // rows of an operand, edge of a mini-array
    parameter int HLEN = 64,  // elements of a head
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
    input wire logic [plena_pkg::UNIT_OP_W-1:0] push_op,  // {per-head, one row, write-out, transposed tile}
    input wire logic [VRW-1:0] push_row,  // first VRAM row read, or written
    input wire logic [VRW-1:0] push_stride,  // M_MM_WO: VRAM rows from one result row to the next
    input wire logic [TW-1:0] push_tile,  // MSRAM tile
    input wire logic [$clog2(MLEN)-1:0] push_off,  // column, row or tap of the tile; column written
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
  localparam int HEADS = (BLEN > HLEN) ? BLEN / HLEN : 1;  // heads whose taps share a mini-array
  localparam int TAG = 4;  // bits of a pass's number; no more passes are fetched and not begun than pairs are held
  localparam int LAST_BLOCK = MLEN - BLEN;

  initial begin
    if (MLEN < 8 || (MLEN & (MLEN - 1)) != 0)
      $fatal(1, "matrix_unit: MLEN=%0d must be a power of two of at least 8", MLEN);
    if (BLEN < 4 || BLEN > MLEN || (BLEN & (BLEN - 1)) != 0)
      $fatal(1, "matrix_unit: BLEN=%0d must be a power of two of 4 to MLEN=%0d", BLEN, MLEN);
    if (HLEN < 1 || HLEN > MLEN || (HLEN & (HLEN - 1)) != 0 || MLEN > 32 * HLEN)
      $fatal(
          1,
          "matrix_unit: HLEN=%0d must be a power of two up to MLEN=%0d, at most 32 lanes",
          HLEN,
          MLEN
      );
    if (Q < 2 || (Q & (Q - 1)) != 0)
      $fatal(1, "matrix_unit: Q=%0d must be a power of two of at least 2", Q);
  end

  // Queue of slots. A write-out's payload stays in its slot until its last row is written.
  logic [                   Q-1:0] waiting;  // pushed, not issued yet
  logic [                  QW-1:0] tail;  // slot of the next push
  logic [plena_pkg::UNIT_OP_W-1:0] q_op                               [0:Q-1];
  logic [                 VRW-1:0] q_row                              [0:Q-1];
  logic [                 VRW-1:0] q_stride                           [0:Q-1];
  logic [                  TW-1:0] q_tile                             [0:Q-1];
  logic [                  LM-1:0] q_off                              [0:Q-1];

  always_ff @(posedge clk) begin
    if (push) begin
      q_op[tail] <= push_op;
      q_row[tail] <= push_row;
      q_stride[tail] <= push_stride;
      q_tile[tail] <= push_tile;
      q_off[tail] <= push_off;
    end
  end

  // Issue. A write-out at the head takes no time: the product behind it may begin to fetch in the same cycle. A product is
  // fetched in passes of BLEN pairs: one pass, or for the per-head products one for each block of BLEN rows (but one row
  // only in M_BMV and M_BTMV), in each block of BLEN columns, for each of the heads that share a mini-array.
  logic issue_wo;
  logic head_writeout;
  logic [1:0] wo_sums;  // accumulators of the write-out: {per-head, one row}
  logic fetch;
  logic [QW-1:0] source;  // slot that fetches
  logic transposed, writeout, single, per_head;
  logic [1:0] sums;  // its accumulators
  logic [LB-1:0] fetch_index;  // pair that it asks for
  logic [LM-1:0] fetch_row;  // first row of the pass
  logic [LM-1:0] fetch_column;  // first column of the pass
  logic [LM-1:0] fetch_part;  // head of each mini-array
  logic with_row;  // the pair has a VRAM row
  logic fetched;  // a pair is read in this cycle
  logic pass_fetched, fetched_last;
  logic pair_free;  // there is a place for it

  assign wo_sums = {q_op[head][plena_pkg::M_PER_HEAD], q_op[head][plena_pkg::M_ONE_ROW]};
  assign head_writeout = q_op[head][plena_pkg::M_WRITE_OUT];
  assign issue_wo = waiting[head] && slot_ready[head] && head_writeout;
  assign source = issue_wo ? head + 1'b1 : head;
  assign per_head = q_op[source][plena_pkg::M_PER_HEAD];
  assign single = q_op[source][plena_pkg::M_ONE_ROW];
  assign writeout = q_op[source][plena_pkg::M_WRITE_OUT];
  assign transposed = q_op[source][plena_pkg::M_TRANSPOSED];
  assign sums = {per_head, single};
  assign fetch = waiting[source] && slot_ready[source] && !writeout && pair_free;
  assign with_row = !single || fetch_index == '0;
  assign rd_req = fetch && with_row;
  assign rd_row = q_row[source] + VRW'(fetch_row) + VRW'(fetch_index);
  assign fetched = fetch && (rd_gnt || !with_row);
  assign pass_fetched = fetched && fetch_index == LB'(BLEN - 1);
  assign fetched_last = pass_fetched && (!per_head || ((single || fetch_row == LM'(LAST_BLOCK)) &&
      fetch_column == LM'(LAST_BLOCK) && fetch_part == LM'(HEADS - 1)));
  assign ms_rd_en = fetched;
  assign head_valid = waiting[head];
  assign head_issues = issue_wo || fetched;
  assign head_waits = waiting[head] && !slot_ready[head];
  assign head_refused = rd_req && !rd_gnt;
  assign macs = !fetched ? 32'd0 :
      32'(MLEN) / (per_head ? 32'(HEADS) : 32'd1) * (single ? 32'd1 : 32'(BLEN));
  assign ms_rd_col = !transposed;
  assign ms_rd_tile = q_tile[source];
  assign ms_rd_idx = (per_head ? fetch_column : q_off[source]) + LM'(fetch_index);

  always_ff @(posedge clk) begin
    if (rst) begin
      waiting <= '0;
      tail <= '0;
      head <= '0;
      fetch_index <= '0;
      fetch_row <= '0;
      fetch_column <= '0;
      fetch_part <= '0;
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
      if (pass_fetched && per_head) begin
        if (!single) fetch_row <= fetch_row + LM'(BLEN);
        if (single || fetch_row == LM'(LAST_BLOCK)) begin
          fetch_column <= fetch_column + LM'(BLEN);
          if (fetch_column == LM'(LAST_BLOCK))
            fetch_part <= (fetch_part == LM'(HEADS - 1)) ? '0 : fetch_part + 1'b1;
        end
      end
    end
  end

  // Accumulators that hold +0, a bit for each {per-head, one row}, in program order: a product that meets one replaces it.
  logic [3:0] fresh;
  logic product_fresh;
  assign product_fresh = fresh[sums] || (issue_wo && wo_sums == sums);
  always_ff @(posedge clk) begin
    if (rst || init) fresh <= '1;
    else begin
      if (issue_wo) fresh[wo_sums] <= 1'b1;
      if (fetched_last) fresh[sums] <= 1'b0;
    end
  end

  // Order of passes and write-outs: passes are numbered as they begin to fetch, and a write-out remembers the number of
  // the next one.
  logic [TAG-1:0] next_pass;
  logic [TAG-1:0] wo_tag[0:Q-1];
  logic [QW-1:0] wo_slot[0:Q-1];
  logic [2:0] wo_kind[0:Q-1];  // its sums are +0; its accumulators
  logic [QW-1:0] wo_tail;  // next free entry
  logic [QW:0] wo_pending;  // write-outs issued, waiting for their turn
  logic [QW:0] wo_turned;  // write-outs behind their turn, not done
  logic [QW-1:0] wo_turn;  // oldest that waits for its turn
  logic [QW-1:0] wo_write;  // oldest that is not done
  logic turn_zero, turn_head, turn_single;
  logic turn;
  logic wo_done;

  assign {turn_zero, turn_head, turn_single} = wo_kind[wo_turn];

  always_ff @(posedge clk) begin
    if (rst) begin
      next_pass <= '0;
      wo_tail <= '0;
      wo_turn <= '0;
      wo_write <= '0;
      wo_pending <= '0;
      wo_turned <= '0;
    end else begin
      if (fetched && fetch_index == '0) next_pass <= next_pass + 1'b1;
      if (issue_wo) wo_tail <= wo_tail + 1'b1;
      if (turn) wo_turn <= wo_turn + 1'b1;
      if (wo_done) wo_write <= wo_write + 1'b1;
      if (issue_wo != turn) wo_pending <= issue_wo ? wo_pending + 1'b1 : wo_pending - 1'b1;
      if (turn != wo_done) wo_turned <= turn ? wo_turned + 1'b1 : wo_turned - 1'b1;
    end
    if (issue_wo) begin
      wo_tag[wo_tail]  <= next_pass;
      wo_slot[wo_tail] <= head;
      wo_kind[wo_tail] <= {fresh[wo_sums], wo_sums};
    end
  end

  logic pair, pair_single, pair_head, pair_fresh;
  logic [MLEN*16-1:0] pair_a;
  logic [MLEN*16-1:0] pair_b;
  logic load;

  operand_pairs #(
      .MLEN(MLEN),
      .BLEN(BLEN),
      .HLEN(HLEN)
  ) u_pairs (
      .clk(clk),
      .rst(rst),
      .free(pair_free),
      .fetched(fetched),
      .fetched_single(single),
      .fetched_head(per_head),
      .fetched_fresh(product_fresh),
      .fetched_contiguous(transposed),
      .fetched_part(fetch_part),
      .fetched_off(q_off[source]),
      .rd_data(rd_data),
      .ms_rd_data(ms_rd_data),
      .any(pair),
      .single(pair_single),
      .head(pair_head),
      .fresh(pair_fresh),
      .a(pair_a),
      .b(pair_b),
      .load(load)
  );

  logic hold_heads, enter_head;
  logic advance, load_fresh, load_single, load_bank;
  logic [LB-1:0] load_idx;
  logic drain, drain_zero, drain_single, drain_bank;
  logic [LB-1:0] drain_row;
  logic row_head, row_single, row_fresh;
  logic room, reserve, reserve_single;

  array_control #(
      .BLEN(BLEN),
      .TAG (TAG)
  ) u_control (
      .clk(clk),
      .rst(rst),
      .pair(pair),
      .pair_single(pair_single),
      .pair_head(pair_head),
      .pair_fresh(pair_fresh),
      .hold_heads(hold_heads),
      .enter_head(enter_head),
      .busy(busy),
      .wo(wo_pending != '0),
      .wo_tag(wo_tag[wo_turn]),
      .wo_single(turn_single),
      .wo_head(turn_head),
      .wo_zero(turn_zero),
      .turn(turn),
      .advance(advance),
      .load(load),
      .load_idx(load_idx),
      .load_fresh(load_fresh),
      .load_single(load_single),
      .load_bank(load_bank),
      .drain(drain),
      .drain_zero(drain_zero),
      .drain_single(drain_single),
      .drain_bank(drain_bank),
      .drain_row(drain_row),
      .row_head(row_head),
      .row_single(row_single),
      .row_fresh(row_fresh),
      .room(room),
      .reserve(reserve),
      .reserve_single(reserve_single)
  );

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
      .load_idx(load_idx),
      .load_fresh(load_fresh),
      .load_single(load_single),
      .load_bank(load_bank),
      .load_a(pair_a),
      .load_b(pair_b),
      .drain(drain),
      .drain_zero(drain_zero),
      .drain_single(drain_single),
      .drain_bank(drain_bank),
      .drain_row(drain_row),
      .row_valid(row_valid),
      .row_data(row_data)
  );

  // Write-outs: result rows of the array through a queue, those of the per-head sums straight from their memory. The
  // oldest write-out owns the VRAM port.
  logic [QW-1:0] wo_source;
  logic [ P-1:0] wo_mask;
  logic wo_zero, wo_head, wo_single;
  logic head_write;
  logic sums_valid, sums_single, sums_fresh;
  logic [((HLEN > BLEN) ? MLEN*BLEN/HLEN : MLEN)*32-1:0] sums_data;
  logic block_done, block_req, head_done, head_req;
  logic [VRW-1:0] block_row;
  logic [VRW-1:0] head_row;
  logic [MLEN*16-1:0] block_data;
  logic [MLEN*16-1:0] head_words;
  logic [P-1:0] block_mask;

  assign wo_source = wo_slot[wo_write];
  assign wo_mask = {{(P - 1) {1'b0}}, 1'b1} << (q_off[wo_source] >> LB);
  assign {wo_zero, wo_head, wo_single} = wo_kind[wo_write];
  assign head_write = wo_turned != '0 && wo_head;
  assign wo_done = head_write ? head_done : block_done;
  assign wr_req = head_write ? head_req : block_req;
  assign wr_row = head_write ? head_row : block_row;
  assign wr_data = head_write ? head_words : block_data;
  assign wr_mask = head_write ? '1 : block_mask;

  writeout #(
      .MLEN(MLEN),
      .BLEN(BLEN),
      .HLEN(HLEN),
      .VRW (VRW)
  ) u_writeout (
      .clk(clk),
      .rst(rst),
      .room(room),
      .reserve(reserve),
      .reserve_single(reserve_single),
      .row_valid(row_valid),
      .row_head(row_head),
      .row_single(row_single),
      .row_fresh(row_fresh),
      .row_data(row_data),
      .head_valid(sums_valid),
      .head_single(sums_single),
      .head_fresh(sums_fresh),
      .head_data(sums_data),
      .to_single(wo_single),
      .to_row(q_row[wo_source]),
      .to_stride(q_stride[wo_source]),
      .to_mask(wo_mask),
      .done(block_done),
      .wr_req(block_req),
      .wr_row(block_row),
      .wr_data(block_data),
      .wr_mask(block_mask),
      .wr_gnt(wr_gnt && !head_write)
  );

  head_sums #(
      .MLEN(MLEN),
      .BLEN(BLEN),
      .HLEN(HLEN),
      .VRW (VRW)
  ) u_heads (
      .clk(clk),
      .rst(rst),
      .enter(enter_head),
      .row_valid(sums_valid),
      .row_single(sums_single),
      .row_fresh(sums_fresh),
      .row_data(sums_data),
      .turn(turn && turn_head),
      .hold(hold_heads),
      .write(head_write),
      .to_single(wo_single),
      .to_zero(wo_zero),
      .to_row(q_row[wo_source]),
      .done(head_done),
      .wr_req(head_req),
      .wr_row(head_row),
      .wr_data(head_words),
      .wr_gnt(wr_gnt && head_write)
  );

  assign slot_rd_done = '0;
  always_comb begin
    slot_done = '0;
    if (fetched_last) slot_done[source] = 1'b1;
    if (wo_done) slot_done[wo_source] = 1'b1;
  end
endmodule

`default_nettype wire
