// Control registers: an AXI4-Lite slave that starts, resumes and aborts programs, reports stops, and shows the machine's registers.
// Timing: one access at a time; a write answers when address and data are both there, a read answers in the next cycle.
// Specified in docs/registers.md.
`timescale 1ns / 1ps
`default_nettype none

module control_regs #(
    `include "shape_parameters.svh"
    parameter int ELEMENT = 0,  // shown in CONFIG0
    parameter int LOOP_DEPTH = 8  // shown in CONFIG0
) (
    input wire logic clk,  // clock
    input wire logic rst,  // synchronous reset
    `include "axil_ports.svh"
    output logic irq,  // an enabled interrupt is pending
    output logic start,  // CTRL.START was written, and the machine can start
    output logic resume,  // CTRL.RESUME was written, and the machine can resume
    output logic abort,  // CTRL.ABORT was written
    output logic [31:0] resume_pc,  // RESUME_PC
    output logic [63:0] base,  // BASE
    output logic [31:0] length,  // LENGTH
    output logic [63:0] limit,  // LIMIT
    output logic [63:0] watchdog,  // WATCHDOG
    output logic [31:0] drain_limit,  // DRAIN_LIMIT
    output logic counter_read,  // a counter may be asked for
    output logic [11:0] counter_address,  // its byte offset
    input wire logic counter_hit,  // there is one
    input wire logic [31:0] counter_word,  // its word
    input wire logic running,  // a program runs
    input wire logic stop,  // it stops now, with the report below
    input wire logic [3:0] stop_cause,  // 0 or the trap cause
    input wire logic stop_undrained,  // not everything that was issued completed
    input wire logic stop_fault,  // a transfer met a bus error
    input wire logic [31:0] stop_pc,  // pc of the stop; while a program runs, of the next instruction
    input wire logic ids_ready,  // the group of AXI IDs is free of late answers
    input wire logic late_reads,  // reads of an aborted program are unanswered
    input wire logic late_writes,  // writes of an aborted program are unanswered
    input wire logic [63:0] cycles,  // cycles since the start
    input wire logic [63:0] instructions,  // instructions completed since the start
    input wire logic [511:0] gp_state,  // gp0..gp15
    input wire logic [127:0] f_state,  // f0..f7
    input wire logic [511:0] a_state,  // a0..a7
    input wire logic [31:0] scale,  // SCALE
    input wire logic [31:0] stride,  // STRIDE
    input wire logic [MLEN/HLEN-1:0] v_mask  // V_MASK
);
  localparam logic [1:0] OKAY = 2'b00;
  localparam logic [1:0] SLVERR = 2'b10;
  localparam logic [31:0] FORMATS = (32'(ELEMENT) << plena_pkg::CSR_CONFIG0_ELEMENT_LSB) |
      (32'(HBM_BF16) << plena_pkg::CSR_CONFIG0_HBM_BF16_LSB);

  logic stopped_q, trapped_q, undrained_q, bus_error_q, aborted_q, refused_q;
  logic [ 3:0] cause_q;
  logic [31:0] pc_q;
  logic [1:0] irq_enable_q, irq_status_q;
  assign irq = (irq_enable_q & irq_status_q) != 2'd0;

  // Writes
  logic aw_q, w_q;
  logic [11:0] awaddr_q;
  logic [31:0] wdata_q, wmask_q;
  logic write, write_hit;
  assign s_axil_awready = !aw_q;
  assign s_axil_wready = !w_q;
  assign write = aw_q && w_q && !s_axil_bvalid;

  // Commands: ABORT at any time, the others while nothing runs. A start needs a machine at rest and fresh AXI IDs, a resume
  // also the registers that an abort loses.
  logic command, wants_start, wants_resume, refuse;
  assign command = write && awaddr_q == plena_pkg::CSR_CTRL && wmask_q[0];
  assign abort = command && wdata_q[plena_pkg::CSR_CTRL_ABORT_LSB];
  assign wants_start = command && !abort && !running && wdata_q[plena_pkg::CSR_CTRL_START_LSB];
  assign wants_resume = command && !abort && !running && !wdata_q[plena_pkg::CSR_CTRL_START_LSB] &&
      wdata_q[plena_pkg::CSR_CTRL_RESUME_LSB];
  assign start = wants_start && !undrained_q && ids_ready;
  assign resume = wants_resume && !undrained_q && ids_ready && !aborted_q;
  assign refuse = (wants_start && !start) || (wants_resume && !resume);

  // An event in the cycle in which its bit is cleared stays.
  logic [1:0] irq_set, irq_clear;
  assign irq_set = {2{stop}} & {stop_cause != plena_pkg::CAUSE_NONE, stop_cause == plena_pkg::CAUSE_NONE};
  assign irq_clear = {2{write && awaddr_q == plena_pkg::CSR_IRQ_STATUS && wmask_q[0]}} & wdata_q[1:0];

  always_comb begin
    case (awaddr_q)
      plena_pkg::CSR_CTRL, plena_pkg::CSR_IRQ_ENABLE, plena_pkg::CSR_IRQ_STATUS: write_hit = 1'b1;
      plena_pkg::CSR_BASE_LO, plena_pkg::CSR_BASE_HI, plena_pkg::CSR_LENGTH, plena_pkg::CSR_RESUME_PC,
      plena_pkg::CSR_LIMIT_LO, plena_pkg::CSR_LIMIT_HI, plena_pkg::CSR_WATCHDOG_LO, plena_pkg::CSR_WATCHDOG_HI,
      plena_pkg::CSR_DRAIN_LIMIT:
      write_hit = !running;
      default: write_hit = 1'b0;
    endcase
  end

  always_ff @(posedge clk) begin
    if (s_axil_awvalid && s_axil_awready) begin
      aw_q <= 1'b1;
      awaddr_q <= {s_axil_awaddr[11:2], 2'b00};
    end
    if (s_axil_wvalid && s_axil_wready) begin
      w_q <= 1'b1;
      wdata_q <= s_axil_wdata;
      wmask_q <= {
        {8{s_axil_wstrb[3]}}, {8{s_axil_wstrb[2]}}, {8{s_axil_wstrb[1]}}, {8{s_axil_wstrb[0]}}
      };
    end
    if (s_axil_bvalid && s_axil_bready) s_axil_bvalid <= 1'b0;
    if (write) begin
      aw_q <= 1'b0;
      w_q <= 1'b0;
      s_axil_bvalid <= 1'b1;
      s_axil_bresp <= write_hit ? OKAY : SLVERR;
      if (write_hit)
        case (awaddr_q)
          plena_pkg::CSR_BASE_LO: base[31:0] <= (base[31:0] & ~wmask_q) | (wdata_q & wmask_q);
          plena_pkg::CSR_BASE_HI: base[63:32] <= (base[63:32] & ~wmask_q) | (wdata_q & wmask_q);
          plena_pkg::CSR_LENGTH: length <= (length & ~wmask_q) | (wdata_q & wmask_q);
          plena_pkg::CSR_RESUME_PC: resume_pc <= (resume_pc & ~wmask_q) | (wdata_q & wmask_q);
          plena_pkg::CSR_LIMIT_LO: limit[31:0] <= (limit[31:0] & ~wmask_q) | (wdata_q & wmask_q);
          plena_pkg::CSR_LIMIT_HI: limit[63:32] <= (limit[63:32] & ~wmask_q) | (wdata_q & wmask_q);
          plena_pkg::CSR_WATCHDOG_LO:
          watchdog[31:0] <= (watchdog[31:0] & ~wmask_q) | (wdata_q & wmask_q);
          plena_pkg::CSR_WATCHDOG_HI:
          watchdog[63:32] <= (watchdog[63:32] & ~wmask_q) | (wdata_q & wmask_q);
          plena_pkg::CSR_DRAIN_LIMIT: drain_limit <= (drain_limit & ~wmask_q) | (wdata_q & wmask_q);
          plena_pkg::CSR_IRQ_ENABLE: if (wmask_q[0]) irq_enable_q <= wdata_q[1:0];
          default: ;
        endcase
    end
    irq_status_q <= (irq_status_q & ~irq_clear) | irq_set;
    if (refuse) refused_q <= 1'b1;
    if (start || resume || abort) begin
      stopped_q   <= 1'b0;
      trapped_q   <= 1'b0;
      undrained_q <= 1'b0;
      bus_error_q <= 1'b0;
      aborted_q   <= abort;
      refused_q   <= 1'b0;
    end
    if (start || resume || (abort && running)) cause_q <= '0;
    if (stop && !abort) begin
      stopped_q <= stop_cause == plena_pkg::CAUSE_NONE;
      trapped_q <= stop_cause != plena_pkg::CAUSE_NONE;
      undrained_q <= stop_undrained;
      bus_error_q <= stop_fault;
      cause_q <= stop_cause;
    end
    if (stop || (abort && running)) pc_q <= stop_pc;
    if (rst) begin
      aw_q <= 1'b0;
      w_q <= 1'b0;
      s_axil_bvalid <= 1'b0;
      base <= '0;
      length <= '0;
      resume_pc <= '0;
      limit <= '0;
      watchdog <= '0;
      drain_limit <= plena_pkg::CSR_DRAIN_LIMIT_RESET;
      stopped_q <= 1'b0;
      trapped_q <= 1'b0;
      undrained_q <= 1'b0;
      bus_error_q <= 1'b0;
      aborted_q <= 1'b0;
      refused_q <= 1'b0;
      cause_q <= '0;
      pc_q <= '0;
      irq_enable_q <= '0;
      irq_status_q <= '0;
    end
  end

  // Reads
  logic [11:0] address;
  logic [31:0] value, gp_word, f_word, a_word;
  logic in_gp, in_f, in_a;
  logic [31:0] base_lo, base_hi, limit_lo, limit_hi, watchdog_lo, watchdog_hi;
  logic [31:0] cycles_lo, cycles_hi, instructions_lo, instructions_hi;
  assign {base_hi, base_lo} = base;
  assign {limit_hi, limit_lo} = limit;
  assign {watchdog_hi, watchdog_lo} = watchdog;
  assign {cycles_hi, cycles_lo} = cycles;
  assign {instructions_hi, instructions_lo} = instructions;
  assign in_gp = address[11:6] == plena_pkg::CSR_GP[11:6];
  assign in_f = address[11:5] == plena_pkg::CSR_F[11:5];
  assign in_a = address[11:6] == plena_pkg::CSR_A_LO[11:6];
  assign gp_word = gp_state[{address[5:2], 5'd0}+:32];
  assign f_word = {16'd0, f_state[{address[4:2], 4'd0}+:16]};
  assign a_word = a_state[{address[5:2], 5'd0}+:32];
  logic read_hit;
  assign address = {s_axil_araddr[11:2], 2'b00};
  assign s_axil_arready = !s_axil_rvalid;
  assign counter_read = s_axil_arvalid;
  assign counter_address = address;

  always_comb begin
    value = '0;
    read_hit = 1'b1;
    case (address)
      plena_pkg::CSR_ID: value = plena_pkg::CSR_ID_VALUE;
      plena_pkg::CSR_VERSION: value = plena_pkg::CSR_VERSION_VALUE;
      plena_pkg::CSR_CONFIG0:
      value = (32'($clog2(MLEN)) << plena_pkg::CSR_CONFIG0_LOG2_MLEN_LSB) |
          (32'($clog2(BLEN)) << plena_pkg::CSR_CONFIG0_LOG2_BLEN_LSB) |
          (32'($clog2(HLEN)) << plena_pkg::CSR_CONFIG0_LOG2_HLEN_LSB) |
          (32'($clog2(MX_BLOCK)) << plena_pkg::CSR_CONFIG0_LOG2_MX_BLOCK_LSB) |
          (32'(LOOP_DEPTH) << plena_pkg::CSR_CONFIG0_LOOP_DEPTH_LSB) | FORMATS;
      plena_pkg::CSR_CONFIG1:
      value = (32'(VPREF) << plena_pkg::CSR_CONFIG1_VPREF_LSB) | (32'(VSTORE) << plena_pkg::CSR_CONFIG1_VSTORE_LSB);
      plena_pkg::CSR_VRAM_ELEMS: value = 32'(VRAM_ELEMS);
      plena_pkg::CSR_MSRAM_TILES: value = 32'(MSRAM_TILES);
      plena_pkg::CSR_FP_WORDS: value = 32'(FP_WORDS);
      plena_pkg::CSR_INT_WORDS: value = 32'(INT_WORDS);
      plena_pkg::CSR_CTRL: value = '0;
      plena_pkg::CSR_STATUS:
      value = (32'(running) << plena_pkg::CSR_STATUS_RUNNING_LSB) |
          (32'(stopped_q) << plena_pkg::CSR_STATUS_STOPPED_LSB) |
          (32'(trapped_q) << plena_pkg::CSR_STATUS_TRAPPED_LSB) |
          (32'(undrained_q) << plena_pkg::CSR_STATUS_UNDRAINED_LSB) |
          (32'(bus_error_q) << plena_pkg::CSR_STATUS_BUS_ERROR_LSB) |
          (32'(aborted_q) << plena_pkg::CSR_STATUS_ABORTED_LSB) |
          (32'(refused_q) << plena_pkg::CSR_STATUS_REFUSED_LSB) |
          (32'(!ids_ready) << plena_pkg::CSR_STATUS_NO_IDS_LSB) |
          (32'(late_reads) << plena_pkg::CSR_STATUS_LATE_READS_LSB) |
          (32'(late_writes) << plena_pkg::CSR_STATUS_LATE_WRITES_LSB);
      plena_pkg::CSR_CAUSE: value = {28'd0, cause_q};
      plena_pkg::CSR_PC: value = pc_q;
      plena_pkg::CSR_BASE_LO: value = base_lo;
      plena_pkg::CSR_BASE_HI: value = base_hi;
      plena_pkg::CSR_LENGTH: value = length;
      plena_pkg::CSR_RESUME_PC: value = resume_pc;
      plena_pkg::CSR_LIMIT_LO: value = limit_lo;
      plena_pkg::CSR_LIMIT_HI: value = limit_hi;
      plena_pkg::CSR_WATCHDOG_LO: value = watchdog_lo;
      plena_pkg::CSR_WATCHDOG_HI: value = watchdog_hi;
      plena_pkg::CSR_DRAIN_LIMIT: value = drain_limit;
      plena_pkg::CSR_IRQ_ENABLE: value = {30'd0, irq_enable_q};
      plena_pkg::CSR_IRQ_STATUS: value = {30'd0, irq_status_q};
      plena_pkg::CSR_CYCLES_LO: value = cycles_lo;
      plena_pkg::CSR_CYCLES_HI: value = cycles_hi;
      plena_pkg::CSR_INSTRUCTIONS_LO: value = instructions_lo;
      plena_pkg::CSR_INSTRUCTIONS_HI: value = instructions_hi;
      plena_pkg::CSR_SCALE: value = scale;
      plena_pkg::CSR_STRIDE: value = stride;
      plena_pkg::CSR_V_MASK: value = 32'(v_mask);
      default: begin
        if (in_gp) value = gp_word;
        else if (in_f) value = f_word;
        else if (in_a) value = a_word;
        else begin
          value = counter_word;
          read_hit = counter_hit;
        end
      end
    endcase
  end

  always_ff @(posedge clk) begin
    if (s_axil_arvalid && s_axil_arready) begin
      s_axil_rvalid <= 1'b1;
      s_axil_rdata  <= value;
      s_axil_rresp  <= read_hit ? OKAY : SLVERR;
    end else if (s_axil_rready) s_axil_rvalid <= 1'b0;
    if (rst) s_axil_rvalid <= 1'b0;
  end

  logic unused;
  assign unused = |{s_axil_awaddr[1:0], s_axil_araddr[1:0]};  // registers are words

  `PLENA_ASSERT_RESET(rst)

  `PLENA_ASSERT_STANDS(axil_response_stands, s_axil_bvalid, s_axil_bready, s_axil_bresp,
                       "a write response goes or changes before it is taken")
  `PLENA_ASSERT_STANDS(axil_data_stands, s_axil_rvalid, s_axil_rready, ({s_axil_rdata, s_axil_rresp
                       }), "read data go or change before they are taken")
  always @(posedge clk)
    if ((start || resume || abort) !== 1'b0) begin
      `PLENA_ASSERT_HERE(control_one_command, 2'(start) + 2'(resume) + 2'(abort) == 2'd1,
                         "two commands are given in the same cycle")
      `PLENA_ASSERT_HERE(control_start_rest, !(start || resume) || !running,
                         "a program starts while one runs")
    end
  `PLENA_ASSERT_WHEN(control_stop_running, stop, running, "a program stops that does not run")
  `PLENA_ASSERT_WHEN(control_one_end, stopped_q, !trapped_q, "a program has ended in two ways")
endmodule

`default_nettype wire
