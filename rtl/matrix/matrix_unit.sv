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

  initial begin
    if (MLEN < 8 || (MLEN & (MLEN - 1)) != 0)
      $fatal(1, "matrix_unit: MLEN=%0d must be a power of two of at least 8", MLEN);
    if (BLEN < 4 || BLEN > MLEN || (BLEN & (BLEN - 1)) != 0)
      $fatal(1, "matrix_unit: BLEN=%0d must be a power of two of 4 to MLEN=%0d", BLEN, MLEN);
    if (HLEN < 1 || HLEN > MLEN || (HLEN & (HLEN - 1)) != 0 || MLEN > 32 * HLEN)
      $fatal(1, "matrix_unit: HLEN=%0d must be a power of two of MLEN/32 to MLEN=%0d", HLEN, MLEN);
  end

  // Queue of slots, read at what fetches and at the oldest write-out that is not done: a write-out's payload stays in its
  // slot until its last row is written. What an instruction is decides which slot is read, so it is kept apart.
  localparam int W = 2 * VRW + TW + LM;
  logic [Q-1:0] waiting, leaves;
  logic [QW-1:0] tail;  // slot of the next push
  logic [plena_pkg::UNIT_OP_W-1:0] ops[0:Q-1];  // {per-head, one row, write-out, transposed tile}
  logic [QW-1:0] source;  // slot that fetches
  logic [VRW-1:0] source_row;  // first VRAM row of what fetches
  logic [TW-1:0] source_tile;  // its tile
  logic [LM-1:0] source_off;  // its column, row or tap of the tile
  logic [QW-1:0] wo_source;  // slot of the write-out
  logic [VRW-1:0] wo_row, wo_stride;  // its first row, and rows from one to the next
  logic [ LM-1:0] wo_off;  // its column
  logic [VRW-1:0] unused_stride;
  logic [ TW-1:0] unused_tile;
  slot_queue #(
      .Q(Q),
      .W(W),
      .R(2)
  ) u_queue (
      .clk(clk),
      .rst(rst),
      .flush(flush),
      .push(push),
      .push_data({push_row, push_stride, push_tile, push_off}),
      .issue(leaves),
      .waiting(waiting),
      .tail(tail),
      .rd_slot({wo_source, source}),
      .rd_data({
        {wo_row, wo_stride, unused_tile, wo_off},
        {source_row, unused_stride, source_tile, source_off}
      })
  );
  always_ff @(posedge clk) if (push) ops[tail] <= push_op;

  // Issue. A write-out at the head takes no time: the product behind it may begin to fetch in the same cycle.
  logic issue_wo;
  logic [1:0] wo_sums;  // accumulators of the write-out: {per-head, one row}
  logic fetch;
  logic transposed, writeout, single, per_head;
  logic [1:0] sums;  // its accumulators
  logic [LB-1:0] fetch_index;  // pair that it asks for
  logic [LM-1:0]
      fetch_row,
      fetch_column,
      fetch_part;  // first row and column of its pass; head of each mini-array
  logic with_row;  // the pair has a VRAM row
  logic fetched;  // a pair is read in this cycle
  logic last_pair, fetched_last;
  logic pair_free;  // there is a place for it

  assign wo_sums = {ops[head][plena_pkg::M_PER_HEAD], ops[head][plena_pkg::M_ONE_ROW]};
  assign issue_wo = waiting[head] && slot_ready[head] && ops[head][plena_pkg::M_WRITE_OUT];
  assign source = issue_wo ? head + 1'b1 : head;
  assign per_head = ops[source][plena_pkg::M_PER_HEAD];
  assign single = ops[source][plena_pkg::M_ONE_ROW];
  assign writeout = ops[source][plena_pkg::M_WRITE_OUT];
  assign transposed = ops[source][plena_pkg::M_TRANSPOSED];
  assign sums = {per_head, single};
  assign fetch = waiting[source] && slot_ready[source] && !writeout && pair_free;
  assign with_row = !single || fetch_index == '0;
  assign rd_req = fetch && with_row;
  assign rd_row = source_row + VRW'(fetch_row) + VRW'(fetch_index);
  assign fetched = fetch && (rd_gnt || !with_row);
  assign fetched_last = fetched && last_pair;
  always_comb begin
    leaves = '0;
    if (issue_wo) leaves[head] = 1'b1;
    if (fetched_last) leaves[source] = 1'b1;
  end
  assign ms_rd_en = fetched;
  assign head_valid = waiting[head];
  assign head_issues = issue_wo || fetched;
  assign head_waits = waiting[head] && !slot_ready[head];
  assign head_refused = rd_req && !rd_gnt;
  assign macs = !fetched ? 32'd0 :
      32'(MLEN) / (per_head ? 32'(HEADS) : 32'd1) * (single ? 32'd1 : 32'(BLEN));
  assign ms_rd_col = !transposed;
  assign ms_rd_tile = source_tile;
  assign ms_rd_idx = (per_head ? fetch_column : source_off) + LM'(fetch_index);

  always_ff @(posedge clk)
    if (rst) head <= '0;
    else head <= flush ? tail : source + {{(QW - 1) {1'b0}}, fetched_last};

  pass_walk #(
      .MLEN (MLEN),
      .BLEN (BLEN),
      .HEADS(HEADS)
  ) u_walk (
      .clk(clk),
      .rst(rst),
      .fetched(fetched),
      .per_head(per_head),
      .single(single),
      .index(fetch_index),
      .row(fetch_row),
      .column(fetch_column),
      .part(fetch_part),
      .last(last_pair)
  );

  // Accumulators that hold +0, a bit for each {per-head, one row}, in program order: a product that meets one replaces it.
  logic [3:0] fresh_q;
  logic product_fresh;
  assign product_fresh = fresh_q[sums] || (issue_wo && wo_sums == sums);
  always_ff @(posedge clk) begin
    if (rst || init) fresh_q <= '1;
    else begin
      if (issue_wo) fresh_q[wo_sums] <= 1'b1;
      if (fetched_last) fresh_q[sums] <= 1'b0;
    end
  end

  // Write-outs in their order between the passes.
  logic wo_pending;  // one waits for its turn
  logic [TAG-1:0] turn_tag;  // number of the pass behind it
  logic turn_zero, turn_head, turn_single;  // its sums are +0; its accumulators
  logic turn;
  logic wo_turned;  // the oldest that is not done may write
  logic wo_zero, wo_head, wo_single;  // its sums are +0; its accumulators
  logic wo_done;
  writeout_order #(
      .Q  (Q),
      .TAG(TAG)
  ) u_order (
      .clk(clk),
      .rst(rst),
      .pass(fetched && fetch_index == '0),
      .issue(issue_wo),
      .issue_slot(head),
      .issue_kind({fresh_q[wo_sums], wo_sums}),
      .pending(wo_pending),
      .turn_tag(turn_tag),
      .turn_kind({turn_zero, turn_head, turn_single}),
      .turn(turn),
      .turned(wo_turned),
      .write_slot(wo_source),
      .write_kind({wo_zero, wo_head, wo_single}),
      .done(wo_done)
  );

  logic pair, pair_single, pair_head, pair_fresh;
  logic [MLEN*16-1:0] pair_a, pair_b;
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
      .fetched_off(source_off),
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
      .wo(wo_pending),
      .wo_tag(turn_tag),
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
  logic [P-1:0] wo_mask;
  logic head_write;
  logic sums_valid, sums_single, sums_fresh;
  logic [((HLEN > BLEN) ? MLEN*BLEN/HLEN : MLEN)*32-1:0] sums_data;
  logic block_done, block_req, head_done, head_req;
  logic [VRW-1:0] block_row, head_row;
  logic [MLEN*16-1:0] block_data, head_words;
  logic [P-1:0] block_mask;

  assign wo_mask = {{(P - 1) {1'b0}}, 1'b1} << (wo_off >> LB);
  assign head_write = wo_turned && wo_head;
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
      .to_row(wo_row),
      .to_stride(wo_stride),
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
      .to_row(wo_row),
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

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(matrix_init_idle, init, !wo_pending && (!wo_turned || wo_done),
                     "the accumulators are cleared before a write-out is done")
  `PLENA_ASSERT_WHEN(matrix_flush_between, flush,
                     fetched_last || {fetch_index, fetch_row, fetch_column, fetch_part} == '0,
                     "a product is dropped that has begun to fetch")
  `PLENA_ASSERT_WHEN(matrix_operation, push, plena_pkg::m_op_legal(push_op),
                     "the matrix unit is given an operation that it does not know")
endmodule

`default_nettype wire
