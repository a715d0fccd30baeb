// Instruction cache: direct-mapped, 64-byte lines, fetches ahead of the pc up to the end of the program.
// Timing: `next_pc` is looked up in cycle t; `valid`, `instr` and `error` belong to it in cycle t+1, `second_*` to the word behind it.
// Specified in docs/microarchitecture.md, "Frontend".
`timescale 1ns / 1ps
`default_nettype none

module icache #(
    parameter int LINES = 128,  // lines of 64 bytes; a power of two, at least 64
    parameter int AHEAD = 8,    // lines fetched ahead of the line in use
    parameter int FAR = 16,     // the same once the program has run straight on for AHEAD lines
    parameter int WORDS = 2     // words a lookup: 1, or 2 for the word behind it too
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    input wire logic invalidate,  // forget every line; outstanding answers are dropped
    input wire logic enable,  // request lines only while a program runs
    input wire logic [63:0] base,  // byte address of the program, 64-byte aligned
    input wire logic [31:0] length,  // program length in words
    input wire logic [31:0] next_pc,  // word to look up now
    output logic valid,  // the word looked up a cycle ago is here
    output logic [31:0] instr,  // that word
    output logic error,  // its line came with a bus error
    output logic second_valid,  // the word behind it is here too, without a bus error
    output logic [31:0] second_instr,  // that word; past the program anything
    output logic if_req,  // fetch request
    output logic [63:0] if_addr,  // its byte address
    input wire logic if_gnt,  // request taken
    input wire logic if_rvalid,  // a line arrives; answers come in order of the requests
    input wire logic [511:0] if_rdata,  // the line
    input wire logic if_rerr  // the line's bus error
);
  localparam int IW = $clog2(LINES);
  localparam int TAGW = 28 - IW;
  localparam int PENDING = 16;  // requests in flight at most
  localparam int PW = $clog2(PENDING);
  localparam int KW = $clog2(FAR + 1);
  localparam int SW = $clog2(AHEAD + 1);

  initial begin
    if (LINES < 64 || (LINES & (LINES - 1)) != 0)
      $fatal(1, "icache: LINES=%0d must be a power of two of at least 64", LINES);
    if (AHEAD < 8 || FAR < AHEAD || FAR >= LINES / 2)
      $fatal(1, "icache: AHEAD=%0d and FAR=%0d must be 8 or more and below LINES/2", AHEAD, FAR);
    if (WORDS < 1 || WORDS > 2) $fatal(1, "icache: WORDS=%0d must be 1 or 2", WORDS);
  end

  logic [511:0] data[0:LINES-1];
  logic [TAGW-1:0] tags[0:LINES-1];
  logic [LINES-1:0] present_q;  // the line is here
  logic [LINES-1:0] pending_q;  // the line was asked for
  logic [LINES-1:0] error_q;  // the line came with a bus error

  logic [IW-1:0] fifo[0:PENDING-1];  // where the lines under way go
  logic [PW-1:0] fifo_in_q, fifo_out_q;
  logic [  PW:0] fifo_count_q;
  logic [  PW:0] drop_q;  // answers still to come for requests made before an invalidate

  // The line in use.
  logic [ 511:0] line_q;
  logic [  31:0] pc_q;
  logic          hit_q;
  logic          line_error_q;
  logic [IW-1:0] next_index;
  logic          reread;
  assign next_index = next_pc[4+:IW];
  assign reread = !hit_q || next_pc[31:4] != pc_q[31:4];
  assign valid = hit_q;
  assign error = line_error_q;
  assign instr = line_q[{pc_q[3:0], 5'd0}+:32];

  always_ff @(posedge clk) begin
    pc_q <= next_pc;
    if (reread) begin
      line_q <= data[next_index];
      line_error_q <= error_q[next_index];
      hit_q <= present_q[next_index] && tags[next_index] == next_pc[31:4+IW];
    end
    if (rst || invalidate) hit_q <= 1'b0;
  end

  // The word behind it: in the same line, or the first of the next line, of which a copy is kept apart.
  if (WORDS == 2) begin : g_second
    logic [  31:0] heads        [0:LINES-1];  // first word of each line
    logic [  31:0] head_q;
    logic          head_hit_q;
    logic          head_error_q;
    logic [  27:0] after;
    logic [IW-1:0] after_index;
    logic          last_word;
    assign after = next_pc[31:4] + 28'd1;
    assign after_index = after[IW-1:0];
    assign last_word = pc_q[3:0] == 4'd15;
    assign second_valid = last_word ? hit_q && head_hit_q && !head_error_q : hit_q && !line_error_q;
    assign second_instr = last_word ? head_q : line_q[{pc_q[3:0]+4'd1, 5'd0}+:32];
    always_ff @(posedge clk) begin
      if (!head_hit_q || next_pc[31:4] != pc_q[31:4]) begin
        head_q <= heads[after_index];
        head_error_q <= error_q[after_index];
        head_hit_q <= present_q[after_index] && tags[after_index] == after[27:IW];
      end
      if (rst || invalidate) head_hit_q <= 1'b0;
      if (if_rvalid && drop_q == '0) heads[fifo[fifo_out_q]] <= if_rdata[31:0];
    end
  end else begin : g_single
    assign second_valid = 1'b0;
    assign second_instr = '0;
  end

  // Look-ahead: walks from the line in use to AHEAD lines past it and asks for what is missing, and begins anew
  // with each line. Where a program runs straight on it looks FAR ahead and keeps its place from line to line.
  logic [KW-1:0] ahead_q;
  logic [27:0] wanted;
  logic [27:0] last_line;
  logic [IW-1:0] wanted_index;
  logic have;
  logic in_program;
  logic past_end;  // the line lies past 2^64
  logic steps;  // the look-ahead goes on by a line
  logic [SW-1:0] straight_q;  // lines since the program last went back, up to AHEAD
  logic far;  // look far ahead
  logic next_line;  // the program goes on to the line after the one in use
  logic [KW-1:0] last;  // lines to look ahead
  assign wanted = pc_q[31:4] + 28'(ahead_q);
  assign last_line = 28'((length - 32'd1) >> 4);
  assign wanted_index = wanted[IW-1:0];
  assign have = (present_q[wanted_index] || pending_q[wanted_index]) && tags[wanted_index] == wanted[27:IW];
  assign in_program = length != 32'd0 && wanted <= last_line && wanted >= pc_q[31:4];
  assign if_req = enable && in_program && !past_end && !have && !pending_q[wanted_index] && !fifo_count_q[PW] &&
      ahead_q <= last;
  assign far = straight_q == SW'(AHEAD);
  assign last = far ? KW'(FAR) : KW'(AHEAD);
  assign steps = (have || (if_req && if_gnt)) && ahead_q < last;
  assign next_line = next_pc[31:4] == pc_q[31:4] + 28'd1;
  assign {past_end, if_addr} = {1'b0, base} + {31'd0, wanted, 6'd0};

  always_ff @(posedge clk) begin
    if (next_pc[31:4] == pc_q[31:4]) ahead_q <= ahead_q + KW'(steps);
    else if (far && next_line && (ahead_q != '0 || steps)) ahead_q <= ahead_q - KW'(!steps);
    else ahead_q <= '0;
    if (next_pc < pc_q || invalidate) straight_q <= '0;
    else if (next_line && !far) straight_q <= straight_q + 1'b1;

    if (if_req && if_gnt) begin
      tags[wanted_index] <= wanted[27:IW];
      present_q[wanted_index] <= 1'b0;
      pending_q[wanted_index] <= 1'b1;
      fifo[fifo_in_q] <= wanted_index;
      fifo_in_q <= fifo_in_q + 1'b1;
    end
    if (if_rvalid) begin
      fifo_out_q <= fifo_out_q + 1'b1;
      if (drop_q != '0) drop_q <= drop_q - 1'b1;
      else begin
        data[fifo[fifo_out_q]] <= if_rdata;
        present_q[fifo[fifo_out_q]] <= 1'b1;
        pending_q[fifo[fifo_out_q]] <= 1'b0;
        error_q[fifo[fifo_out_q]] <= if_rerr;
      end
    end
    fifo_count_q <= fifo_count_q + (PW + 1)'(if_req && if_gnt) - (PW + 1)'(if_rvalid);
    if (invalidate) begin
      present_q <= '0;
      pending_q <= '0;
      ahead_q <= '0;
      drop_q <= fifo_count_q - (PW + 1)'(if_rvalid);
    end
    if (rst) begin
      present_q <= '0;
      pending_q <= '0;
      ahead_q <= '0;
      straight_q <= '0;
      fifo_in_q <= '0;
      fifo_out_q <= '0;
      fifo_count_q <= '0;
      drop_q <= '0;
    end
  end

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_WHEN(icache_answer_asked, if_rvalid, fifo_count_q != '0,
                     "a line comes that nobody asked for")
  `PLENA_ASSERT(icache_requests, int'(fifo_count_q) <= PENDING,
                "more lines are under way than have a place")
  `PLENA_ASSERT_WHEN(icache_aligned, if_req, if_addr[5:0] == '0,
                     "the address of a line is not a multiple of 64")
endmodule

`default_nettype wire
