// The AXI4-Lite slave of the control registers: docs/microarchitecture.md. Included in port lists; other ports follow.
input wire logic [11:0] s_axil_awaddr,  // write address
input wire logic s_axil_awvalid,  // write address valid
output logic s_axil_awready,  // write address taken
input wire logic [31:0] s_axil_wdata,  // write data
input wire logic [3:0] s_axil_wstrb,  // write byte lanes
input wire logic s_axil_wvalid,  // write data valid
output logic s_axil_wready,  // write data taken
output logic [1:0] s_axil_bresp,  // write response: OKAY, or SLVERR for no such register
output logic s_axil_bvalid,  // write response valid
input wire logic s_axil_bready,  // write response taken
input wire logic [11:0] s_axil_araddr,  // read address
input wire logic s_axil_arvalid,  // read address valid
output logic s_axil_arready,  // read address taken
output logic [31:0] s_axil_rdata,  // read data
output logic [1:0] s_axil_rresp,  // read response: OKAY, or SLVERR for no such register
output logic s_axil_rvalid,  // read data valid
input wire logic s_axil_rready,  // read data taken
