"""What a PLENA machine holds: memory images, registers, and the record of what a run wrote."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.hardware import Hardware

GP_REGISTERS = 16
F_REGISTERS = 8
A_REGISTERS = 8

#: Poison: a bf16 NaN with a payload no arithmetic produces, the same twice for INT_MEM, and an MX NaN in HBM.
POISON_BF16 = 0xFFA5
POISON_INT = 0xFFA5_FFA5
POISON_HBM = 0xFF

_TYPES = {"vram": np.uint16, "msram": np.uint16, "fpmem": np.uint16, "intmem": np.uint32, "hbm": np.uint8}
_POISON = {
    "vram": POISON_BF16,
    "msram": POISON_BF16,
    "fpmem": POISON_BF16,
    "intmem": POISON_INT,
    "hbm": POISON_HBM,
}


def memory_sizes(hw: Hardware) -> dict[str, int]:
    """Elements of each memory of `hw`, by the names that `MemoryImages` uses."""
    return {
        "vram": hw.vram_elems,
        "msram": hw.msram_tiles * hw.tile_elems,
        "fpmem": hw.fp_words,
        "intmem": hw.int_words,
        "hbm": hw.hbm_bytes,
    }


@dataclass
class MemoryImages:
    """The contents of every memory, one flat array each.

    Attributes:
        vram: raw bf16, uint16[vram_elems].
        msram: raw bf16, uint16[msram_tiles * mlen * mlen], row-major tiles.
        fpmem: raw bf16, uint16[fp_words].
        intmem: uint32[int_words].
        hbm: bytes, uint8[hbm_bytes].
    """

    vram: NDArray[np.uint16]
    msram: NDArray[np.uint16]
    fpmem: NDArray[np.uint16]
    intmem: NDArray[np.uint32]
    hbm: NDArray[np.uint8]

    @classmethod
    def zeros(cls, hw: Hardware) -> MemoryImages:
        """Memories of `hw`, all zero."""
        sizes = memory_sizes(hw)
        return cls(
            vram=np.zeros(sizes["vram"], np.uint16),
            msram=np.zeros(sizes["msram"], np.uint16),
            fpmem=np.zeros(sizes["fpmem"], np.uint16),
            intmem=np.zeros(sizes["intmem"], np.uint32),
            hbm=np.zeros(sizes["hbm"], np.uint8),
        )

    @classmethod
    def poisoned(cls, hw: Hardware) -> MemoryImages:
        """Memories of `hw` filled with patterns that betray a read of what was never written."""
        images = cls.zeros(hw)
        for name, word in _POISON.items():
            getattr(images, name).fill(word)
        return images

    @staticmethod
    def poison(memory: str) -> int:
        """What every word of a memory holds that nothing was staged in."""
        return _POISON[memory]

    def copy(self) -> MemoryImages:
        """An independent copy."""
        return MemoryImages(**{memory.name: getattr(self, memory.name).copy() for memory in fields(self)})

    def check(self, hw: Hardware) -> None:
        """Raise ValueError when an image has not the type or the size that `hw` calls for, naming it."""
        for name, size in memory_sizes(hw).items():
            image = getattr(self, name)
            if image.dtype != _TYPES[name] or image.shape != (size,):
                raise ValueError(
                    f"{name} must be {np.dtype(_TYPES[name])}[{size}], got {image.dtype}{list(image.shape)}"
                )
            if not image.flags.c_contiguous:
                raise ValueError(f"{name} must be contiguous")


@dataclass
class WrittenMaps:
    """Which elements of each memory a run wrote: one bool an element, shaped as in `MemoryImages`."""

    vram: NDArray[np.bool_]
    msram: NDArray[np.bool_]
    fpmem: NDArray[np.bool_]
    intmem: NDArray[np.bool_]
    hbm: NDArray[np.bool_]

    @classmethod
    def nothing(cls, hw: Hardware) -> WrittenMaps:
        """Maps of `hw` on which nothing is written yet."""
        return cls(**{name: np.zeros(size, np.bool_) for name, size in memory_sizes(hw).items()})


@dataclass
class Registers:
    """The architectural registers as plain integers; the defaults are the reset values.

    Attributes:
        gp: gp0..gp15, 32-bit unsigned.
        f: f0..f7, raw bf16 bits.
        a: a0..a7, 64-bit HBM byte addresses.
        scale: SCALE, 32 bits.
        stride: STRIDE, 32 bits.
        v_mask: V_MASK, LANES bits.
    """

    gp: list[int] = field(default_factory=lambda: [0] * GP_REGISTERS)
    f: list[int] = field(default_factory=lambda: [0] * F_REGISTERS)
    a: list[int] = field(default_factory=lambda: [0] * A_REGISTERS)
    scale: int = 0
    stride: int = 1
    v_mask: int = 0
