// Stand-in for <zlib.h> on machines without zlib1g-dev: valid zlib streams of stored blocks.
// Holds only what Verilator's FST writer calls. Format: RFC 1950 and RFC 1951.
#pragma once
#include <cstdint>
#include <cstring>
#include <initializer_list>

using Bytef = unsigned char;
using uLong = unsigned long;
using uLongf = uLong;
constexpr int Z_OK = 0;
constexpr int Z_BUF_ERROR = -5;

inline uLong compressBound(uLong size) { return size + 5 * (size / 65535 + 1) + 6; }

inline int compress2(Bytef* stream, uLongf* length, const Bytef* source, uLong size, int) {
    if (*length < compressBound(size)) return Z_BUF_ERROR;
    Bytef* out = stream;
    *out++ = 0x78;
    *out++ = 0x01;
    uLong done = 0;
    do {
        const uLong part = size - done < 65535 ? size - done : 65535;
        *out++ = done + part == size;
        *out++ = part & 0xFF;
        *out++ = part >> 8;
        *out++ = ~part & 0xFF;
        *out++ = ~part >> 8 & 0xFF;
        std::memcpy(out, source + done, part);
        out += part;
        done += part;
    } while (done < size);
    uint32_t low = 1, high = 0;
    for (uLong i = 0; i < size; i++) {
        low = (low + source[i]) % 65521;
        high = (high + low) % 65521;
    }
    for (const uint32_t half : {high, low}) {
        *out++ = half >> 8;
        *out++ = half & 0xFF;
    }
    *length = out - stream;
    return Z_OK;
}
