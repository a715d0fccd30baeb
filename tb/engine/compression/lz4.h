// Stand-in for <lz4.h> on machines without liblz4-dev: valid LZ4 blocks that store their input as literals.
// Holds only what Verilator's FST writer calls. Format: the LZ4 block format description.
#pragma once
#include <cstring>

inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }

// Returns the block's length, or 0 when `capacity` is too small for the worst case.
inline int LZ4_compress_default(const char* source, char* block, int size, int capacity) {
    if (capacity < LZ4_compressBound(size)) return 0;
    unsigned char* out = reinterpret_cast<unsigned char*>(block);
    *out++ = static_cast<unsigned char>(size < 15 ? size << 4 : 0xF0);
    if (size >= 15) {
        int rest = size - 15;
        for (; rest >= 255; rest -= 255) *out++ = 255;
        *out++ = static_cast<unsigned char>(rest);
    }
    std::memcpy(out, source, size);
    return static_cast<int>(out - reinterpret_cast<unsigned char*>(block)) + size;
}
