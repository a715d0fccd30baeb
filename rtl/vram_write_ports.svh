// A write port of VRAM as the DMA drives it: docs/microarchitecture.md, "Memories". Included in port lists; other ports follow.
output logic wr_req,  // request
output logic [VRW-1:0] wr_row,  // row
output logic [MLEN*16-1:0] wr_data,  // data
output logic [MLEN/BLEN-1:0] wr_mask,  // all ones: whole rows
input wire logic wr_gnt,  // taken
