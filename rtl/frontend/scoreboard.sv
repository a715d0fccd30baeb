// Scoreboard: every live instruction's slot with what it touches, and which slots still have to wait.
// Timing: dependencies are set at the edge of the push and cleared at the edge of the pulse they wait for; `ready` follows registered state.
// Specified in docs/microarchitecture.md, "Life of an instruction: slots".
`timescale 1ns / 1ps
`default_nettype none

module scoreboard #(
    `include "queue_parameters.svh"
    parameter int VRW = 14,  // bits of a VRAM row number
    parameter int TW  = 6,   // bits of a tile number
    parameter int FAW = 10   // bits of an FP_MEM address
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset: slot numbers start at 0
    input wire logic flush,  // forget every slot (reset, start, resume); slot numbers go on
    input wire logic [3:0] push,  // a new instruction, one bit a unit: {HBM, float, vector, matrix}
    input wire logic [31:0] n_pc,  // its pc
    input wire logic n_ra,  // it reads VRAM rows n_ra_lo..n_ra_hi
    input wire logic [VRW-1:0] n_ra_lo,  // first row read
    input wire logic [VRW-1:0] n_ra_hi,  // last row read
    input wire logic n_rb,  // it reads VRAM row n_rb_row too
    input wire logic [VRW-1:0] n_rb_row,  // second row read
    input wire logic n_w,  // it writes VRAM rows within n_w_lo..n_w_hi
    input wire logic [VRW-1:0] n_w_lo,  // first row written
    input wire logic [VRW-1:0] n_w_hi,  // last row written
    input wire logic [7:0] n_f_read,  // f registers read
    input wire logic [7:0] n_f_write,  // f registers written
    input wire logic n_t_read,  // it reads MSRAM tile n_tile
    input wire logic n_t_write,  // it writes MSRAM tile n_tile
    input wire logic [TW-1:0] n_tile,  // the tile
    input wire logic n_p_read,  // it reads FP_MEM words n_p_lo..n_p_hi
    input wire logic n_p_write,  // it writes FP_MEM words n_p_lo..n_p_hi
    input wire logic [FAW-1:0] n_p_lo,  // first FP_MEM word
    input wire logic [FAW-1:0] n_p_hi,  // last FP_MEM word
    input wire logic [NM+NV+NF+NH-1:0] rd_done,  // a slot has read its sources
    input wire logic [NM+NV+NF+NH-1:0] done,  // a slot is done
    input wire logic [NH-1:0] fault,  // an HBM slot met a bus error (stays)
    input wire logic hbm_idle,  // nothing is in flight in the HBM unit
    output logic [NM+NV+NF+NH-1:0] ready,  // a slot waits for nothing
    output logic [3:0] free,  // the next slot of a unit is free, one bit a unit
    output logic idle,  // no slot is live
    output logic all_dead,  // after a bus error: every live slot waits for a failed transfer
    input wire logic [$clog2(
NM
)-1:0] head_m,  // oldest instruction of the matrix queue that has not issued
    input wire logic [$clog2(NV)-1:0] head_v,  // the same of the vector queue
    input wire logic [$clog2(NF)-1:0] head_f,  // the same of the float queue
    input wire logic [$clog2(NH)-1:0] head_h,  // the same of the HBM queue
    input wire logic head_row,  // the vector head waits for a row of its own unit
    output logic [19:0] hazards,  // what the heads wait for, 5 bits a unit: {order, FP_MEM, tile, row, f}
    output logic [1:0] issued,  // an instruction issues or is under way: {float, vector}
    output logic fault_any,  // a bus error was met
    output logic [31:0] fault_pc  // pc of the oldest failed transfer
);
  localparam int NS = NM + NV + NF + NH;
  localparam int V0 = NM;
  localparam int F0 = NM + NV;
  localparam int H0 = NM + NV + NF;
  localparam int WM = $clog2(NM);
  localparam int WV = $clog2(NV);
  localparam int WF = $clog2(NF);
  localparam int WH = $clog2(NH);

  initial
    if ((NM & (NM - 1)) != 0 || (NV & (NV - 1)) != 0 || (NF & (NF - 1)) != 0 || (NH & (NH - 1)) != 0)
      $fatal(1, "scoreboard: queue depths %0d %0d %0d %0d must be powers of two", NM, NV, NF, NH);

  // What each live slot touches. Matrix: m_w says whether the rows are written (M_MM_WO) or read.
  logic [ NS-1:0] live_q;
  logic [ NS-1:0] reading_q;  // sources not read yet
  logic [ NM-1:0] m_w_q;
  logic [VRW-1:0] m_lo                               [0:NM-1];
  logic [VRW-1:0] m_hi                               [0:NM-1];
  logic [ TW-1:0] m_tile                             [0:NM-1];
  logic [ NV-1:0] v_ra_q;
  logic [ NV-1:0] v_rb_q;
  logic [ NV-1:0] v_w_q;
  logic [ NV-1:0] v_p_read_q;
  logic [ NV-1:0] v_p_write_q;
  logic [VRW-1:0] v_a_lo                             [0:NV-1];
  logic [VRW-1:0] v_a_hi                             [0:NV-1];
  logic [VRW-1:0] v_b_row                            [0:NV-1];
  logic [VRW-1:0] v_w_row                            [0:NV-1];
  logic [FAW-1:0] v_p_lo                             [0:NV-1];
  logic [FAW-1:0] v_p_hi                             [0:NV-1];
  logic [    7:0] v_f_read                           [0:NV-1];
  logic [    7:0] v_f_write                          [0:NV-1];
  logic [ NF-1:0] f_p_read_q;
  logic [ NF-1:0] f_p_write_q;
  logic [FAW-1:0] f_p_word                           [0:NF-1];
  logic [    7:0] f_f_read                           [0:NF-1];
  logic [    7:0] f_f_write                          [0:NF-1];
  logic [ NH-1:0] h_ra_q;
  logic [ NH-1:0] h_w_q;
  logic [ NH-1:0] h_t_q;
  logic [VRW-1:0] h_lo                               [0:NH-1];
  logic [VRW-1:0] h_hi                               [0:NH-1];
  logic [ TW-1:0] h_tile                             [0:NH-1];
  logic [   31:0] h_pc                               [0:NH-1];
  logic [ WM-1:0] m_next_q;
  logic [ WV-1:0] v_next_q;
  logic [ WF-1:0] f_next_q;
  logic [ WH-1:0] h_next_q;

  assign free = {
    !live_q[H0+int'(h_next_q)],
    !live_q[F0+int'(f_next_q)],
    !live_q[V0+int'(v_next_q)],
    !live_q[int'(m_next_q)]
  };

  // Dependencies of the new instruction on every slot: wait for done (read-after-write, write-after-write) or for the
  // sources to be read (write-after-read). In-order units need only read-after-write among their own rows, and the vector
  // unit, which forwards, not even that. Units without live slots are passed over, and so is the matrix unit when the
  // instruction touches neither rows nor tiles.
  logic [NS-1:0] need_done, need_read;
  logic push_m, push_v, push_f, push_h;
  assign {push_h, push_f, push_v, push_m} = push;
  always_comb begin
    need_done = '0;
    need_read = '0;
    if (push != 4'd0) begin
      if (live_q[0+:NM] != '0 && (n_ra || n_rb || n_w || n_t_write))
        for (int i = 0; i < NM; i++) begin
          if (m_w_q[i])
            need_done[i] = (n_ra && n_ra_lo <= m_hi[i] && n_ra_hi >= m_lo[i]) ||
              (n_rb && n_rb_row <= m_hi[i] && n_rb_row >= m_lo[i]) ||
              (n_w && !push_m && n_w_lo <= m_hi[i] && n_w_hi >= m_lo[i]);
          else
            need_read[i] = (n_w && !push_m && n_w_lo <= m_hi[i] && n_w_hi >= m_lo[i]) ||
              (n_t_write && n_tile == m_tile[i]);
        end
      if (live_q[V0+:NV] != '0)
        for (int i = 0; i < NV; i++) begin
          need_done[V0+i] = (v_w_q[i] && !push_v && ((n_ra && n_ra_lo <= v_w_row[i] && n_ra_hi >= v_w_row[i]) ||
              (n_w && n_w_lo <= v_w_row[i] && n_w_hi >= v_w_row[i]))) ||
            ((n_f_read | n_f_write) & v_f_write[i]) != 8'd0 ||
            (v_p_write_q[i] && (n_p_read || n_p_write) && n_p_hi >= v_p_lo[i] && n_p_lo <= v_p_hi[i]);
          need_read[V0+i] = (n_w && !push_v && ((v_ra_q[i] && n_w_lo <= v_a_hi[i] && n_w_hi >= v_a_lo[i]) ||
              (v_rb_q[i] && n_w_lo <= v_b_row[i] && n_w_hi >= v_b_row[i]))) ||
            (n_f_write & v_f_read[i]) != 8'd0 ||
            (n_p_write && v_p_read_q[i] && n_p_hi >= v_p_lo[i] && n_p_lo <= v_p_hi[i]);
        end
      if (live_q[F0+:NF] != '0)
        for (int i = 0; i < NF; i++) begin
          need_done[F0+i] = ((n_f_read | n_f_write) & f_f_write[i]) != 8'd0 ||
            (f_p_write_q[i] && (n_p_read || n_p_write) && f_p_word[i] >= n_p_lo && f_p_word[i] <= n_p_hi);
          need_read[F0+i] = (n_f_write & f_f_read[i]) != 8'd0 ||
            (n_p_write && f_p_read_q[i] && f_p_word[i] >= n_p_lo && f_p_word[i] <= n_p_hi);
        end
      if (live_q[H0+:NH] != '0)
        for (int i = 0; i < NH; i++) begin
          // HBM bytes: loads wait for older stores and stores for older loads, whatever their addresses.
          need_done[H0+i] = (h_w_q[i] && ((n_ra && n_ra_lo <= h_hi[i] && n_ra_hi >= h_lo[i]) ||
              (n_rb && n_rb_row <= h_hi[i] && n_rb_row >= h_lo[i]) ||
              (n_w && !push_h && n_w_lo <= h_hi[i] && n_w_hi >= h_lo[i]))) ||
            (h_t_q[i] && n_t_read && n_tile == h_tile[i]) ||
            (push_h && h_ra_q[i] != n_ra);
          need_read[H0+i] = n_w && h_ra_q[i] && n_w_lo <= h_hi[i] && n_w_hi >= h_lo[i];
        end
    end
  end

  logic [NS-1:0] taken;  // the slot that the push takes
  always_comb begin
    taken = '0;
    if (push_m) taken[int'(m_next_q)] = 1'b1;
    if (push_v) taken[V0+int'(v_next_q)] = 1'b1;
    if (push_f) taken[F0+int'(f_next_q)] = 1'b1;
    if (push_h) taken[H0+int'(h_next_q)] = 1'b1;
  end

  // Slots that wait, by what they wait for: a matrix instruction; a vector or float instruction that touches FP_MEM (_p)
  // or something else; an HBM instruction that writes a tile (_t) or not. What the older instruction touches tells the
  // kind: a vector instruction writes a row, FP_MEM or an f register, never two of them.
  logic [NS-1:0] read_now, new_done, new_read, dead;
  logic [NS-1:0] on_m, on_v, on_v_p, on_f, on_f_p, on_h, on_h_t;
  logic [NS-1:0] dead_m, dead_v, dead_f, dead_h;
  logic [NS-1:0] unused_kind;
  assign read_now = rd_done | done;
  assign new_done = need_done & live_q & ~done;
  assign new_read = need_read & reading_q & ~read_now;
  waiters #(
      .N (NM),
      .NS(NS)
  ) u_on_matrix (
      .clk(clk),
      .flush(flush),
      .read_now(read_now[0+:NM]),
      .done(done[0+:NM]),
      .taken(taken),
      .new_read(new_read[0+:NM]),
      .new_done(new_done[0+:NM]),
      .read_other({NM{1'b0}}),
      .done_other({NM{1'b0}}),
      .dead(dead[0+:NM]),
      .waits(on_m),
      .waits_other(unused_kind),
      .waits_dead(dead_m)
  );
  waiters #(
      .N (NV),
      .NS(NS)
  ) u_on_vector (
      .clk(clk),
      .flush(flush),
      .read_now(read_now[V0+:NV]),
      .done(done[V0+:NV]),
      .taken(taken),
      .new_read(new_read[V0+:NV]),
      .new_done(new_done[V0+:NV]),
      .read_other(v_p_read_q),
      .done_other(v_p_write_q),
      .dead(dead[V0+:NV]),
      .waits(on_v),
      .waits_other(on_v_p),
      .waits_dead(dead_v)
  );
  waiters #(
      .N (NF),
      .NS(NS)
  ) u_on_float (
      .clk(clk),
      .flush(flush),
      .read_now(read_now[F0+:NF]),
      .done(done[F0+:NF]),
      .taken(taken),
      .new_read(new_read[F0+:NF]),
      .new_done(new_done[F0+:NF]),
      .read_other(f_p_read_q),
      .done_other(f_p_write_q),
      .dead(dead[F0+:NF]),
      .waits(on_f),
      .waits_other(on_f_p),
      .waits_dead(dead_f)
  );
  waiters #(
      .N (NH),
      .NS(NS)
  ) u_on_hbm (
      .clk(clk),
      .flush(flush),
      .read_now(read_now[H0+:NH]),
      .done(done[H0+:NH]),
      .taken(taken),
      .new_read(new_read[H0+:NH]),
      .new_done(new_done[H0+:NH]),
      .read_other(h_t_q),
      .done_other(h_t_q),
      .dead(dead[H0+:NH]),
      .waits(on_h),
      .waits_other(on_h_t),
      .waits_dead(dead_h)
  );
  assign ready = live_q & ~(on_m | on_v | on_v_p | on_f | on_f_p | on_h | on_h_t);

  always_ff @(posedge clk) begin
    live_q <= (live_q & ~done) | taken;
    reading_q <= (reading_q & ~read_now) | taken;
    if (push_m) begin
      m_next_q <= m_next_q + 1'b1;
      m_w_q[m_next_q] <= n_w;
      m_lo[m_next_q] <= n_w ? n_w_lo : n_ra_lo;
      m_hi[m_next_q] <= n_w ? n_w_hi : n_ra_hi;
      m_tile[m_next_q] <= n_tile;
    end
    if (push_v) begin
      v_next_q <= v_next_q + 1'b1;
      v_ra_q[v_next_q] <= n_ra;
      v_rb_q[v_next_q] <= n_rb;
      v_w_q[v_next_q] <= n_w;
      v_p_read_q[v_next_q] <= n_p_read;
      v_p_write_q[v_next_q] <= n_p_write;
      v_a_lo[v_next_q] <= n_ra_lo;
      v_a_hi[v_next_q] <= n_ra_hi;
      v_b_row[v_next_q] <= n_rb_row;
      v_w_row[v_next_q] <= n_w_lo;
      v_p_lo[v_next_q] <= n_p_lo;
      v_p_hi[v_next_q] <= n_p_hi;
      v_f_read[v_next_q] <= n_f_read;
      v_f_write[v_next_q] <= n_f_write;
    end
    if (push_f) begin
      f_next_q <= f_next_q + 1'b1;
      f_p_read_q[f_next_q] <= n_p_read;
      f_p_write_q[f_next_q] <= n_p_write;
      f_p_word[f_next_q] <= n_p_lo;
      f_f_read[f_next_q] <= n_f_read;
      f_f_write[f_next_q] <= n_f_write;
    end
    if (push_h) begin
      h_next_q <= h_next_q + 1'b1;
      h_ra_q[h_next_q] <= n_ra;
      h_w_q[h_next_q] <= n_w;
      h_t_q[h_next_q] <= n_t_write;
      h_lo[h_next_q] <= n_w ? n_w_lo : n_ra_lo;
      h_hi[h_next_q] <= n_w ? n_w_hi : n_ra_hi;
      h_tile[h_next_q] <= n_tile;
      h_pc[h_next_q] <= n_pc;
    end
    if (flush) begin
      live_q <= '0;
      reading_q <= '0;
    end
    if (rst) begin
      m_next_q <= '0;
      v_next_q <= '0;
      f_next_q <= '0;
      h_next_q <= '0;
    end
  end

  assign idle = live_q == '0;

  // For the counters: kinds of the hazards that the head of each queue waits for.
  logic v_on_f, v_fp_mem, h_on_m, h_on_v;
  assign v_on_f = on_f[V0+int'(head_v)] || on_f_p[V0+int'(head_v)];
  assign v_fp_mem = v_p_read_q[head_v] || v_p_write_q[head_v];
  assign h_on_m = on_m[H0+int'(head_h)];
  assign h_on_v = on_v[H0+int'(head_h)] || on_v_p[H0+int'(head_h)];
  assign hazards = {
    on_h[H0+int'(head_h)] || on_h_t[H0+int'(head_h)],
    1'b0,
    h_on_m && h_t_q[head_h],
    h_on_v || (h_on_m && !h_t_q[head_h]),
    1'b0,
    1'b0,
    on_v_p[F0+int'(head_f)] || on_f_p[F0+int'(head_f)],
    1'b0,
    1'b0,
    on_v[F0+int'(head_f)] || on_f[F0+int'(head_f)],
    1'b0,
    on_v_p[V0+int'(head_v)] || (v_on_f && v_fp_mem),
    1'b0,
    head_row || on_m[V0+int'(head_v)] || on_h[V0+int'(head_v)] || on_h_t[V0+int'(head_v)],
    on_v[V0+int'(head_v)] || (v_on_f && !v_fp_mem),
    1'b0,
    1'b0,
    on_h_t[int'(head_m)],
    on_m[int'(head_m)] || on_v[int'(head_m)] || on_v_p[int'(head_m)] || on_h[int'(head_m)],
    1'b0
  };
  assign issued = {
    (live_q[F0+:NF] & ~reading_q[F0+:NF]) != '0 || rd_done[F0+:NF] != '0,
    (live_q[V0+:NV] & ~reading_q[V0+:NV]) != '0 || rd_done[V0+:NV] != '0
  };

  // After a bus error
  assign fault_any = fault != '0;
  dead_slots #(
      .NM(NM),
      .NV(NV),
      .NF(NF),
      .NH(NH)
  ) u_dead (
      .clk(clk),
      .rst(rst),
      .flush(flush),
      .fault_any(fault_any),
      .hbm_idle(hbm_idle),
      .live(live_q),
      .waits_dead(dead_m | dead_v | dead_f | dead_h),
      .oldest_m(m_next_q),
      .oldest_v(v_next_q),
      .oldest_f(f_next_q),
      .dead(dead),
      .all_dead(all_dead)
  );
  always_comb begin
    fault_pc = '0;
    for (int k = NH - 1; k >= 0; k--)
    if (fault[(int'(h_next_q)+k)&(NH-1)]) fault_pc = h_pc[(int'(h_next_q)+k)&(NH-1)];
  end

  `PLENA_ASSERT_RESET(rst)

  always @(posedge clk)
    if ((push != 4'd0) !== 1'b0) begin
      `PLENA_ASSERT_HERE(scoreboard_push_one, (push & (push - 1'b1)) == 4'd0,
                         "an instruction goes to two units")
      `PLENA_ASSERT_HERE(scoreboard_push_free, (push & ~free) == 4'd0,
                         "an instruction takes a slot that is live")
      `PLENA_ASSERT_HERE(scoreboard_one_result,
                         !push_v || int'(n_w) + int'(n_p_write) + int'(n_f_write != '0) <= 1,
                         "a vector instruction writes two of row, FP_MEM and f register")
    end
  always @(posedge clk)
    if (((done | rd_done) != '0) !== 1'b0) begin
      `PLENA_ASSERT_HERE(scoreboard_done_live, (done & ~live_q) == '0,
                         "a slot is done that is not live")
      `PLENA_ASSERT_HERE(scoreboard_read_once, (rd_done & ~reading_q) == '0,
                         "a slot has read its sources twice")
    end
  `PLENA_ASSERT_WHEN(scoreboard_fault_live, fault != '0, (fault & ~live_q[H0+:NH]) == '0,
                     "a transfer fails that is not live")
endmodule

`default_nettype wire
