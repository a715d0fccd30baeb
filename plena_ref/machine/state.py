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
class PerMemory:
    """One flat array for every memory of a machine."""

    vram: NDArray
    msram: NDArray
    fpmem: NDArray
    intmem: NDArray
    hbm: NDArray


@dataclass
class MemoryImages(PerMemory):
    """The contents of every memory, one flat array each.

    Attributes:
        vram: raw bf16, uint16[vram_elems].
        msram: raw bf16, uint16[msram_tiles * mlen * mlen], row-major tiles.
        fpmem: raw bf16, uint16[fp_words].
        intmem: uint32[int_words].
        hbm: bytes, uint8[hbm_bytes].
    """

    @classmethod
    def zeros(cls, hw: Hardware) -> MemoryImages:
        """Memories of `hw`, all zero."""
        return cls(**{name: np.zeros(size, _TYPES[name]) for name, size in memory_sizes(hw).items()})

    @classmethod
    def poisoned(cls, hw: Hardware) -> MemoryImages:
        """Memories of `hw` filled with patterns that betray a read of what was never written."""
        sizes = memory_sizes(hw).items()
        return cls(**{name: np.full(size, _POISON[name], _TYPES[name]) for name, size in sizes})

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
class WrittenMaps(PerMemory):
    """Which elements of each memory a run wrote: one bool an element, shaped as in `MemoryImages`."""

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
