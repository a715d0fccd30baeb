// The host of the system bench on the core's AXI4-Lite port: tasks that write and read one control register.
// A write takes two cycles when the core is ready, a read two; one access at a time. Specified in docs/registers.md.
`timescale 1ns / 1ps
`default_nettype none

module axil_host (
    input  wire         clk,      // clock of the core
    output logic [11:0] awaddr,   // AXI4-Lite, as ARM IHI 0022 names it
    output logic        awvalid,
    input  wire         awready,
    output logic [31:0] wdata,
    output logic        wvalid,
    input  wire         wready,
    input  wire  [ 1:0] bresp,
    input  wire         bvalid,
    output logic [11:0] araddr,
    output logic        arvalid,
    input  wire         arready,
    input  wire  [31:0] rdata,
    input  wire  [ 1:0] rresp,
    input  wire         rvalid
);
  initial begin
    awvalid = 1'b0;
    wvalid  = 1'b0;
    arvalid = 1'b0;
  end

  task automatic write(input logic [11:0] address, input logic [31:0] value);
    bit address_taken, data_taken;
    awaddr  <= address;
    awvalid <= 1'b1;
    wdata   <= value;
    wvalid  <= 1'b1;
    address_taken = 1'b0;
    data_taken = 1'b0;
    while (!(address_taken && data_taken)) begin
      @(posedge clk);
      if (awvalid && awready) begin
        address_taken = 1'b1;
        awvalid <= 1'b0;
      end
      if (wvalid && wready) begin
        data_taken = 1'b1;
        wvalid <= 1'b0;
      end
    end
    while (!bvalid) @(posedge clk);
    if (bresp != 2'd0) $fatal(1, "control register write %h: response %0d", address, bresp);
  endtask

  task automatic read(input logic [11:0] address, output logic [31:0] value);
    araddr  <= address;
    arvalid <= 1'b1;
    @(posedge clk);
    while (!(arvalid && arready)) @(posedge clk);
    arvalid <= 1'b0;
    while (!rvalid) @(posedge clk);
    if (rresp != 2'd0) $fatal(1, "control register read %h: response %0d", address, rresp);
    value = rdata;
  endtask

  // A register of 64 bits: its low word at the address, its high word behind it.
  task automatic write_wide(input logic [11:0] address, input logic [63:0] value);
    write(address, value[31:0]);
    write(address + 12'd4, value[63:32]);
  endtask

  // The words of all registers that the job's file `offsets` lists, one line each.
  task automatic read_all(input int job, input int file);
    int offsets;
    logic [11:0] offset;
    logic [31:0] value;
    offsets = $fopen($sformatf("job%0d/offsets", job), "r");
    while ($fscanf(
        offsets, "%h", offset
    ) == 1) begin
      read(offset, value);
      $fwrite(file, "%h\n", value);
    end
    $fclose(offsets);
  endtask
endmodule
`default_nettype wire
