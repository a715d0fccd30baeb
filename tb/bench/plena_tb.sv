// The system bench: clock, plena_core, an AXI4 memory model, and a host that runs one job after another.
// Python writes a job's files, sets `job`, raises `go`, and sleeps until `done`; nothing else crosses the border.
// Specified in docs/bench.md.
`timescale 1ns / 1ps
`default_nettype none

module plena_tb #(
    `include "shape_parameters.svh"
    parameter int ELEMENT = 0,  // element format of HBM
    parameter int LOOP_DEPTH = 8,  // nested hardware loops
    parameter int DISPATCH_WIDTH = 2,  // instructions dispatched a cycle
    parameter int MEMORY_BYTES = 68 << 20  // storage behind the AXI port: data, then the program
);
  localparam int SETTINGS = 21;  // words of a job's settings file

  // What Python sees.
  int job;  // number of the job: its files lie in job<number>/
  bit go;  // rising edge: run the job
  bit running;  // between the start command and the interrupt, so that Python can take the time
  bit done;  // the job is finished and its files are written

  bit rst = 1'b1;

`ifdef PLENA_WAVES
  bit clk;
  always #0.5 clk = ~clk;
`else
  // A pulse that ends in the time step in which it begins: half as many time steps, each of which costs a simulator a
  // round of its scheduler. It could not be seen in a wave.
  bit tick, seen;
  wire clk = tick ^ seen;
  always #1 tick = ~tick;
  always @(tick) seen <= tick;
`endif

  // A job's settings, in the order of the file.
  logic [63:0] setting[0:SETTINGS-1];
  logic do_reset;  // reset the core first
  logic do_load;  // load all memories first
  logic do_resume;  // CTRL.RESUME instead of CTRL.START
  logic do_trace, do_activity;  // write trace.out, write activity.out
  logic do_abort;  // CTRL.ABORT first, then wait for the late writes
  logic keep_hbm;  // load no HBM but the program, dump of HBM what the job wrote
  logic [63:0] base;  // program base register
  logic [31:0] length;  // program length register, words
  logic [63:0] limit;  // HBM limit register
  logic [63:0] watchdog;  // watchdog register
  logic [31:0] resume_pc;  // resume pc register
  logic [63:0] timeout;  // cycles until the bench gives up
  logic [63:0] image_words;  // 64-bit words in hbm.in
  logic [63:0] program_at;  // byte address where program.in is put
  logic [63:0] program_words;  // 64-bit words in program.in
  logic [15:0] latency;  // see axi_memory
  logic [7:0] jitter, fill;  // see axi_memory
  logic [31:0] seed, stall_after;  // see axi_memory
  logic [7:0] rate_beats = 8'd1, rate_cycles = 8'd1;  // see axi_memory
  logic [63:0] err_lo, err_hi;  // see axi_memory
  logic [31:0] drain_limit;  // drain limit register
  logic [31:0] drain_limit_held;  // what that register holds
  logic [63:0] abort_at;  // cycles after the start at which the host aborts; 0 never
  logic [ 2:0] stall = 3'd0;  // see axi_memory
  logic lose = 1'b0, stall_restart = 1'b0;  // see axi_memory

  task automatic read_settings;
    int file, got;
    file = $fopen($sformatf("job%0d/settings", job), "r");
    for (int k = 0; k < SETTINGS; k++) begin
      got = $fscanf(file, "%h", setting[k]);
      if (got != 1) $fatal(1, "job%0d/settings: word %0d is missing", job, k);
    end
    $fclose(file);
    {do_activity, keep_hbm, do_abort, do_trace, do_resume, do_load, do_reset} = setting[0][6:0];
    base = setting[1];
    length = setting[2][31:0];
    limit = setting[3];
    watchdog = setting[4];
    resume_pc = setting[5][31:0];
    timeout = setting[6];
    image_words = setting[7];
    program_at = setting[8];
    program_words = setting[9];
    latency = setting[10][15:0];
    jitter = setting[11][7:0];
    seed = setting[12][31:0];
    fill = setting[13][7:0];
    err_lo = setting[14];
    err_hi = setting[15];
    drain_limit = setting[16][31:0];
    abort_at = setting[17];
    {lose, stall} = setting[18][3:0];
    stall_after = setting[19][31:0];
    {rate_cycles, rate_beats} = setting[20][15:0];
  endtask

  wire irq, awvalid, wvalid, arvalid, awready, wready, bvalid, arready, rvalid;
  wire [1:0] trace_valid, bresp, rresp;
  wire [31:0] trace_pc;
  wire [63:0] trace_instr;
  wire [11:0] awaddr, araddr;
  wire [31:0] wdata, rdata;

  wire [3:0] m_arid, m_rid, m_awid, m_bid;
  wire [63:0] m_araddr, m_awaddr, m_wstrb;
  wire [7:0] m_arlen, m_awlen;
  wire [2:0] m_arsize, m_awsize;
  wire [1:0] m_arburst, m_awburst, m_rresp, m_bresp;
  wire [511:0] m_rdata, m_wdata;
  wire m_arvalid, m_arready, m_rlast, m_rvalid, m_rready;
  wire m_awvalid, m_awready, m_wlast, m_wvalid, m_wready, m_bvalid, m_bready;

  plena_core #(
      `include "shape_connections.svh"
      .ELEMENT(ELEMENT),
      .LOOP_DEPTH(LOOP_DEPTH),
      .DISPATCH_WIDTH(DISPATCH_WIDTH)
  ) u_core (
      .clk(clk),
      .rst(rst),
      .irq(irq),
      .s_axil_awaddr(awaddr),
      .s_axil_awvalid(awvalid),
      .s_axil_awready(awready),
      .s_axil_wdata(wdata),
      .s_axil_wstrb(4'hF),
      .s_axil_wvalid(wvalid),
      .s_axil_wready(wready),
      .s_axil_bresp(bresp),
      .s_axil_bvalid(bvalid),
      .s_axil_bready(1'b1),
      .s_axil_araddr(araddr),
      .s_axil_arvalid(arvalid),
      .s_axil_arready(arready),
      .s_axil_rdata(rdata),
      .s_axil_rresp(rresp),
      .s_axil_rvalid(rvalid),
      .s_axil_rready(1'b1),
      .m_axi_arid(m_arid),
      .m_axi_araddr(m_araddr),
      .m_axi_arlen(m_arlen),
      .m_axi_arsize(m_arsize),
      .m_axi_arburst(m_arburst),
      .m_axi_arvalid(m_arvalid),
      .m_axi_arready(m_arready),
      .m_axi_rid(m_rid),
      .m_axi_rdata(m_rdata),
      .m_axi_rresp(m_rresp),
      .m_axi_rlast(m_rlast),
      .m_axi_rvalid(m_rvalid),
      .m_axi_rready(m_rready),
      .m_axi_awid(m_awid),
      .m_axi_awaddr(m_awaddr),
      .m_axi_awlen(m_awlen),
      .m_axi_awsize(m_awsize),
      .m_axi_awburst(m_awburst),
      .m_axi_awvalid(m_awvalid),
      .m_axi_awready(m_awready),
      .m_axi_wdata(m_wdata),
      .m_axi_wstrb(m_wstrb),
      .m_axi_wlast(m_wlast),
      .m_axi_wvalid(m_wvalid),
      .m_axi_wready(m_wready),
      .m_axi_bid(m_bid),
      .m_axi_bresp(m_bresp),
      .m_axi_bvalid(m_bvalid),
      .m_axi_bready(m_bready),
      .trace_valid(trace_valid),
      .trace_pc(trace_pc),
      .trace_instr(trace_instr)
  );

  // For the eye: the opcodes that retire in this cycle, 0 (no instruction) in the others.
  wire [5:0] retired_opcode = trace_valid[0] ? trace_instr[5:0] : 6'd0;
  wire [5:0] retired_opcode_2 = trace_valid[1] ? trace_instr[37:32] : 6'd0;

  wire [63:0] low_water, high_water;
  wire [31:0] protocol_errors;

  axi_memory #(
      .BYTES(MEMORY_BYTES)
  ) u_memory (
      .clk(clk),
      .rst(rst),
      .latency(latency),
      .jitter(jitter),
      .seed(seed),
      .rate_beats(rate_beats),
      .rate_cycles(rate_cycles),
      .fill(fill),
      .err_lo(err_lo),
      .err_hi(err_hi),
      .stall(stall),
      .stall_after(stall_after),
      .stall_restart(stall_restart),
      .lose(lose),
      .arid(m_arid),
      .araddr(m_araddr),
      .arlen(m_arlen),
      .arvalid(m_arvalid),
      .arready(m_arready),
      .rid(m_rid),
      .rdata(m_rdata),
      .rresp(m_rresp),
      .rlast(m_rlast),
      .rvalid(m_rvalid),
      .rready(m_rready),
      .awid(m_awid),
      .awaddr(m_awaddr),
      .awvalid(m_awvalid),
      .awready(m_awready),
      .wdata(m_wdata),
      .wstrb(m_wstrb),
      .wlast(m_wlast),
      .wvalid(m_wvalid),
      .wready(m_wready),
      .bid(m_bid),
      .bresp(m_bresp),
      .bvalid(m_bvalid),
      .bready(m_bready),
      .low_water(low_water),
      .high_water(high_water)
  );

  axil_host u_host (
      .clk(clk),
      .awaddr(awaddr),
      .awvalid(awvalid),
      .awready(awready),
      .wdata(wdata),
      .wvalid(wvalid),
      .wready(wready),
      .bresp(bresp),
      .bvalid(bvalid),
      .araddr(araddr),
      .arvalid(arvalid),
      .arready(arready),
      .rdata(rdata),
      .rresp(rresp),
      .rvalid(rvalid)
  );

  trace_file u_trace (
      .clk(clk),
      .valid(trace_valid),
      .pc(trace_pc),
      .instr(trace_instr),
      .cycle(32'(u_core.cycles))
  );

  activity_file u_activity ();

  outside_counts u_outside ();

  memory_files #(
      .MLEN(MLEN),
      .VRAM_ELEMS(VRAM_ELEMS),
      .MSRAM_TILES(MSRAM_TILES),
      .FP_WORDS(FP_WORDS),
      .INT_WORDS(INT_WORDS)
  ) u_files ();

  axi_checker u_checker (
      .clk(clk),
      .rst(rst),
      .errors(protocol_errors),
      .violated(),
      .awid(m_awid),
      .awaddr(m_awaddr),
      .awlen(m_awlen),
      .awsize(m_awsize),
      .awburst(m_awburst),
      .awvalid(m_awvalid),
      .awready(m_awready),
      .wdata(m_wdata),
      .wstrb(m_wstrb),
      .wlast(m_wlast),
      .wvalid(m_wvalid),
      .wready(m_wready),
      .bid(m_bid),
      .bresp(m_bresp),
      .bvalid(m_bvalid),
      .bready(m_bready),
      .arid(m_arid),
      .araddr(m_araddr),
      .arlen(m_arlen),
      .arsize(m_arsize),
      .arburst(m_arburst),
      .arvalid(m_arvalid),
      .arready(m_arready),
      .rid(m_rid),
      .rdata(m_rdata),
      .rresp(m_rresp),
      .rlast(m_rlast),
      .rvalid(m_rvalid),
      .rready(m_rready)
  );

  // Gives up what runs, and waits until no byte of HBM can change any more: the memory may also be dead for good.
  task automatic abort_machine;
    logic [31:0] status;
    int polls;
    u_host.write(plena_pkg::CSR_CTRL, 32'd1 << plena_pkg::CSR_CTRL_ABORT_LSB);
    status = '1;
    for (polls = 0; polls < 1000 && status[plena_pkg::CSR_STATUS_LATE_WRITES_LSB]; polls++)
      u_host.read(plena_pkg::CSR_STATUS, status);
  endtask

  // ---- one job
  longint waited;  // cycles that the core has had
  bit refused;  // it did not start
  bit over;  // it interrupts, or has had all its time: the job sleeps until then

  always @(posedge clk) begin
    waited = running ? waited + 1 : 0;
    over   = running && waited > 1 && (irq || refused || waited > timeout || (abort_at != 0 && waited >= abort_at));
  end

  always @(posedge go) begin : run_job
    int file;
    logic [31:0] value;
    done = 1'b0;
    u_outside.clear();
    read_settings();
    if (do_trace) u_trace.u_file.open(job, "trace.out");
    if (do_activity) u_activity.u_file.open(job, "activity.out");
    if (do_reset) begin
      rst <= 1'b1;
      repeat (4) @(posedge clk);
      rst <= 1'b0;
      drain_limit_held = plena_pkg::CSR_DRAIN_LIMIT_RESET;
    end
    stall_restart <= 1'b1;
    @(posedge clk);
    stall_restart <= 1'b0;
    if (do_abort) abort_machine();
    if (do_load) u_files.load(job, keep_hbm, image_words, program_at, program_words);

    u_host.write(plena_pkg::CSR_IRQ_STATUS, 32'd3);
    u_host.write(plena_pkg::CSR_IRQ_ENABLE, 32'd3);
    u_host.write_wide(plena_pkg::CSR_BASE_LO, base);
    u_host.write(plena_pkg::CSR_LENGTH, length);
    u_host.write_wide(plena_pkg::CSR_LIMIT_LO, limit);
    u_host.write_wide(plena_pkg::CSR_WATCHDOG_LO, watchdog);
    if (drain_limit !== drain_limit_held) u_host.write(plena_pkg::CSR_DRAIN_LIMIT, drain_limit);
    drain_limit_held = drain_limit;
    u_host.write(plena_pkg::CSR_RESUME_PC, resume_pc);
    u_host.write(plena_pkg::CSR_CTRL, do_resume ? 32'd2 : 32'd1);
    refused = 1'b0;
    if (abort_at == 0) begin
      u_host.read(plena_pkg::CSR_STATUS, value);
      refused = value[plena_pkg::CSR_STATUS_REFUSED_LSB];
    end
    running = 1'b1;
    @(posedge over);
    running = 1'b0;
    @(posedge clk);
    if (abort_at != 0) u_host.write(plena_pkg::CSR_CTRL, 32'd1 << plena_pkg::CSR_CTRL_ABORT_LSB);

    u_files.dump(job, keep_hbm, low_water, high_water);
    if (do_trace) u_trace.u_file.close();
    if (do_activity) u_activity.u_file.close();
    file = $fopen($sformatf("job%0d/registers", job), "w");
    $fwrite(file, "%h\n%h\n%h\n%h\n", !irq, low_water, high_water, protocol_errors);
    u_outside.write(file);
    u_host.read_all(job, file);
    $fclose(file);
    u_host.write(plena_pkg::CSR_IRQ_STATUS, 32'd3);
    done = 1'b1;
  end

`ifdef PLENA_WAVES
  wave_window u_window (
      .clk(clk),
      .rst(rst),
      .cycle(32'(u_core.cycles)),
      .valid(trace_valid),
      .pc(trace_pc)
  );
`endif
endmodule
`default_nettype wire
