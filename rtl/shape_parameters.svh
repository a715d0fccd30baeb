// The shape of the machine: parameters of the core and of every module that checks, shows or hands on the whole shape.
// Included at the head of their parameter lists; parameters of their own follow. The rules hold in shape_check.sv.
parameter int MLEN        = 64,       // edge of a matrix tile and elements of a row: 8..256, a power of two
parameter int BLEN        = 16,       // edge of a systolic block: 4..MLEN, a power of two
parameter int HLEN        = 64,       // elements of a mask lane: a power of two, at most MLEN; at most 32 lanes
parameter int VRAM_ELEMS  = 1048576,  // elements of VRAM: a multiple of 8 rows
parameter int MSRAM_TILES = 64,       // tiles of MSRAM
parameter int FP_WORDS    = 1024,     // words of FP_MEM: a multiple of 2*MLEN
parameter int INT_WORDS   = 1024,     // words of INT_MEM: at least 2
parameter int VPREF       = 16,       // rows of H_PREFETCH_V: at most 65535
parameter int VSTORE      = 16,       // rows of H_STORE_V: at most 65535
parameter int MX_BLOCK    = 8,        // elements that share a scale: 8..64, a power of two, at most MLEN
parameter int HBM_BF16    = 0,        // transfers whose rows lie in HBM as bf16: bits M 0, M 1, V 0, V 1
