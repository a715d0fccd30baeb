// Address and data of AXI4 writes, as a master drives them: docs/microarchitecture.md. Included in port lists; other ports follow.
output logic [3:0] m_axi_awid,  // write address: id
output logic [63:0] m_axi_awaddr,  // address
output logic [7:0] m_axi_awlen,  // beats - 1
output logic [2:0] m_axi_awsize,  // 64 bytes a beat
output logic [1:0] m_axi_awburst,  // INCR
output logic m_axi_awvalid,  // request
input wire logic m_axi_awready,  // taken
output logic [511:0] m_axi_wdata,  // write data: bytes
output logic [63:0] m_axi_wstrb,  // byte strobes
output logic m_axi_wlast,  // last beat of the burst
output logic m_axi_wvalid,  // beat
input wire logic m_axi_wready,  // taken
