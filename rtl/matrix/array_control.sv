// Array time of the matrix unit: when a pass enters the systolic array, in which accumulator bank, and when its sums drain.
// Timing: a pass of BLEN pairs every BLEN cycles; its first row drains 2*BLEN+1 array cycles after its first pair.
// Specified in docs/microarchitecture.md, "Matrix unit".
`timescale 1ns / 1ps
`default_nettype none

module array_control #(
    parameter int BLEN = 16,  // pairs of a pass, rows of a bank
    parameter int TAG  = 4    // bits of a pass's number
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    // passes, in order
    input wire logic pair,  // an operand pair waits
    input wire logic pair_single,  // its pass has one row only
    input wire logic pair_head,  // its pass is one of a per-head product
    input wire logic pair_fresh,  // its instruction starts from +0
    input wire logic hold_heads,  // per-head passes and write-outs must wait
    output logic enter_head,  // a per-head pass enters the array
    output logic busy,  // a pass is in the array
    // write-outs, in order
    input wire logic wo,  // one waits for its turn
    input wire logic [TAG-1:0] wo_tag,  // number of the pass behind it
    input wire logic wo_single,  // it is of one row: v or hv
    input wire logic wo_head,  // it is of per-head sums, which are not in the array
    input wire logic wo_zero,  // its sums are +0
    output logic turn,  // its turn: the sums so far are its result
    // array
    output logic advance,  // array time goes on
    output logic load,  // a pair enters
    output logic [$clog2(BLEN)-1:0] load_idx,  // its number in the pass
    output logic load_fresh,  // the pass starts from +0
    output logic load_single,  // the pass has one row
    output logic load_bank,  // bank of the pass
    output logic drain,  // an accumulator row is read
    output logic drain_zero,  // as +0
    output logic drain_single,  // from a bank of one row
    output logic drain_bank,  // its bank
    output logic [$clog2(BLEN)-1:0] drain_row,  // its row
    // adder tree, beside a row that has left the array
    output logic row_head,  // per-head sums
    output logic row_single,  // the only row of its pass
    output logic row_fresh,  // the per-head sums start from +0
    // write-out
    input wire logic room,  // BLEN result rows have a place
    output logic reserve,  // places are taken
    output logic reserve_single  // only one
);
  localparam int LB = $clog2(BLEN);
  localparam int SETTLED = 2 * BLEN;  // array cycles from a pass's first pair to the drain of its sums
  localparam int SW = $clog2(SETTLED + 1);
  localparam logic [LB-1:0] LAST = LB'(BLEN - 1);

  // Banks {single, bank}: two of BLEN rows and two of one row, each pair in turns. `bank_q` is the one of the next
  // product; while it is live (M_MM or M_MV have begun in it, and no write-out took it yet), per-head passes use the
  // other one alone.
  logic [1:0] bank_q;
  logic [1:0] live_q;
  logic [1:0] target;  // bank of the pass that waits
  logic [1:0] entered_q;  // bank of the pass that is entering
  logic [3:0] owed_q;  // banks to be drained
  logic [3:0] started;  // bank whose drain starts
  logic [3:0] settled;  // array cycles enough since a pass began in the bank
  logic [TAG-1:0] begun_q;  // number of the next pass to enter
  logic wo_next;  // a write-out comes before it
  logic begins;
  logic last;

  assign target = {pair_single, bank_q[pair_single] ^ (pair_head && live_q[pair_single])};
  assign wo_next = wo && wo_tag == begun_q;
  // The first pair of a pass may enter a bank in the cycle in which the bank's drain starts: the drain is a row ahead.
  assign begins = load_idx == '0 && pair && !wo_next && !(pair_head && hold_heads) &&
      (!owed_q[target] || started[target]);
  assign load = (load_idx == '0) ? begins : pair;
  assign last = load && load_idx == LAST;
  assign busy = load || settled != '1;
  assign advance = load_idx == '0 || pair;
  assign load_fresh = load_idx == '0 && (pair_head || pair_fresh);
  assign {load_single, load_bank} = (load_idx == '0) ? target : entered_q;
  assign enter_head = begins && pair_head;
  // A write-out takes its turn when all older passes are in: so nothing that it writes is still to be read by them.
  assign turn = wo_next && (load_idx == '0 || last) && !(wo_head ? hold_heads : owed_q[{wo_single, bank_q[wo_single]}]);

  // Drains, in the order in which their banks came to be owed. Each takes BLEN array cycles.
  logic [4:0] order[0:3];  // bank, +0, per-head, per-head from +0
  logic [1:0] order_tail_q;
  logic [1:0] order_head_q;
  logic [1:0] front;  // bank of the oldest
  logic front_zero, front_head, front_fresh;
  logic start;
  logic owe;
  logic [1:0] owe_bank;
  logic draining_q;
  logic drain_head_q;
  logic drain_fresh_q;

  assign owe = enter_head || (turn && !wo_head);
  assign owe_bank = enter_head ? target : {wo_single, bank_q[wo_single]};
  assign {front, front_zero, front_head, front_fresh} = order[order_head_q];
  assign start = owed_q != '0 && settled[front] && (front_head || room) && advance &&
      (!draining_q || drain_row == LAST);
  assign started = start ? 4'b0001 << front : 4'b0000;
  assign reserve = start && !front_head;
  assign reserve_single = front[1];
  assign drain = draining_q && (!drain_single || drain_row == '0);

  for (genvar k = 0; k < 4; k++) begin : g_age
    logic [SW-1:0] age_q;  // array cycles since a pass began in the bank, at most SETTLED
    assign settled[k] = age_q == SW'(SETTLED);
    always_ff @(posedge clk) begin
      if (rst) age_q <= SW'(SETTLED);
      else if (begins && int'(target) == k) age_q <= SW'(1);
      else if (advance && !settled[k]) age_q <= age_q + 1'b1;
    end
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      load_idx <= '0;
      begun_q <= '0;
      bank_q <= '0;
      live_q <= '0;
      entered_q <= '0;
      owed_q <= '0;
      order_tail_q <= '0;
      order_head_q <= '0;
      draining_q <= 1'b0;
      drain_zero <= 1'b0;
      drain_single <= 1'b0;
      drain_bank <= 1'b0;
      drain_row <= '0;
      drain_head_q <= 1'b0;
      drain_fresh_q <= 1'b0;
    end else begin
      if (load) load_idx <= load_idx + 1'b1;
      if (begins) begin
        begun_q   <= begun_q + 1'b1;
        entered_q <= target;
        if (!pair_head) live_q[pair_single] <= 1'b1;
        else if (!live_q[pair_single]) bank_q[pair_single] <= !bank_q[pair_single];
      end
      if (turn && !wo_head) begin
        live_q[wo_single] <= 1'b0;
        bank_q[wo_single] <= !bank_q[wo_single];
      end
      owed_q <= (owed_q & ~started) | (owe ? 4'b0001 << owe_bank : 4'b0000);
      if (owe) order_tail_q <= order_tail_q + 1'b1;
      if (start) begin
        order_head_q <= order_head_q + 1'b1;
        draining_q <= 1'b1;
        {drain_single, drain_bank} <= front;
        {drain_zero, drain_head_q, drain_fresh_q} <= {front_zero, front_head, front_fresh};
        drain_row <= '0;
      end else if (advance && draining_q) begin
        drain_row <= drain_row + 1'b1;
        if (drain_row == LAST) draining_q <= 1'b0;
      end
    end
    if (owe)
      order[order_tail_q] <= {
        owe_bank, !enter_head && wo_zero, enter_head, enter_head && pair_fresh
      };
    if (advance && drain)
      {row_head, row_single, row_fresh} <= {drain_head_q, drain_single, drain_fresh_q};
  end

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(array_owed_once, owe, !owed_q[owe_bank] || started[owe_bank],
                     "a bank is owed that has still to drain")
  `PLENA_ASSERT_WHEN(array_room, reserve, room, "a drain starts without places for its rows")
endmodule

`default_nettype wire
