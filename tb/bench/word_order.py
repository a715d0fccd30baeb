"""Where an element of a memory image lies in the RTL's memory arrays: banks, rows, and the order of words.

``<memory>_words`` turns an image into what the bench loads, ``<memory>_image`` turns back what it dumps.
Files to the simulator hold words most significant byte first, files from it hold them least significant byte
first. The banks are those of rtl/memory/{vram,msram,fpmem}.sv.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.hardware import Hardware
from tb.engine.tools import SimulationError


@functools.cache
def _vram_order(hw: Hardware) -> NDArray[np.intp]:
    """VRAM row number of (bank, index), bank-major: bank = row[2:0] ^ row[LM+2:LM]."""
    rows = np.arange(hw.vram_rows)
    bank = (rows ^ (rows >> (hw.mlen.bit_length() - 1))) & 7
    return np.lexsort((rows, bank))


def vram_words(hw: Hardware, image: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """VRAM as the bench loads it: bank after bank, the last element of a row first."""
    return image.reshape(-1, hw.mlen)[_vram_order(hw), ::-1].astype(">u2")


def vram_image(hw: Hardware, words: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The inverse for a dump; uint16[vram_elems]."""
    image = np.empty((hw.vram_rows, hw.mlen), np.uint16)
    image[_vram_order(hw)] = words.reshape(-1, hw.mlen)
    return image.reshape(-1)


def msram_words(hw: Hardware, image: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """MSRAM as the bench loads it: element (t, r, c) lies in bank (r + c) mod MLEN."""
    tiles = image.reshape(hw.msram_tiles, hw.mlen, hw.mlen)
    rows = np.arange(hw.mlen)
    banks = tiles[:, rows[None, :], (rows[:, None] - rows[None, :]) % hw.mlen]
    return np.ascontiguousarray(banks.transpose(1, 0, 2)).astype(">u2")


def msram_image(hw: Hardware, words: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The inverse for a dump; uint16[msram_tiles * MLEN * MLEN]."""
    banks = words.reshape(hw.mlen, hw.msram_tiles, hw.mlen)
    rows = np.arange(hw.mlen)
    tiles = banks[(rows[:, None] + rows[None, :]) % hw.mlen, :, rows[:, None]]
    return np.ascontiguousarray(tiles.transpose(2, 0, 1)).reshape(-1).astype(np.uint16)


def fpmem_words(hw: Hardware, image: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """FP_MEM as the bench loads it: even rows, then odd rows, the last word of a row first."""
    rows = image.reshape(-1, hw.mlen)[:, ::-1]
    return np.concatenate([rows[0::2], rows[1::2]]).astype(">u2")


def fpmem_image(hw: Hardware, words: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The inverse for a dump; uint16[fp_words]."""
    banks = words.reshape(2, -1, hw.mlen)
    return np.ascontiguousarray(banks.transpose(1, 0, 2)).reshape(-1).astype(np.uint16)


def intmem_words(image: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """INT_MEM as the bench loads it: one array, word after word."""
    return image.astype(">u4")


def intmem_image(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The inverse for a dump; uint32[int_words]."""
    return words.astype(np.uint32)


def hbm_words(image: NDArray[np.uint8], fill: int) -> NDArray[np.uint8]:
    """HBM bytes as the bench loads them: relative to the fill pattern, in 64-bit words."""
    return (image ^ np.uint8(fill)).reshape(-1, 8)[:, ::-1]


def hbm_image(hw: Hardware, stored: NDArray[np.uint8], fill: int) -> NDArray[np.uint8]:
    """All of HBM from the bytes that the bench stored; the others hold the fill pattern.

    Raises:
        SimulationError: the machine wrote past the end of HBM.
    """
    image = np.full(hw.hbm_bytes, fill, np.uint8)
    if stored.size > image.size:
        raise SimulationError(f"the machine wrote HBM at or past byte {hw.hbm_bytes}, the end of HBM")
    image[: stored.size] = stored ^ np.uint8(fill)
    return image
