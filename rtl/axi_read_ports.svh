// Address of AXI4 reads, as a master drives it: docs/microarchitecture.md. Included in port lists; other ports follow.
output logic [3:0] m_axi_arid,  // read address: id; in a group 0 fetch, 1 elements, 2 scales
output logic [63:0] m_axi_araddr,  // address
output logic [7:0] m_axi_arlen,  // beats - 1
output logic [2:0] m_axi_arsize,  // 64 bytes a beat
output logic [1:0] m_axi_arburst,  // INCR
output logic m_axi_arvalid,  // request
input wire logic m_axi_arready,  // taken
