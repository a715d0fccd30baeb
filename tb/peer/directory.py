"""A build directory of PLENA's tools: a program, what lies in the memories before it runs, and its golden."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.numerics import bf16_from_float
from plena_ref.machine.state import MemoryImages
from tb.peer.errors import PeerError, read_bytes, read_text

PROGRAM, ASSEMBLY = "generated_machine_code.mem", "generated_asm_code.asm"
HBM, HBM_SIZE = "hbm_for_behave_sim.bin", "hbm_size.txt"
FP_MEM, INT_MEM, VRAM = "fp_sram.bin", "int_sram.bin", "vram_preload.bin"
_WORD = re.compile(r"(?:0[xX])?[0-9a-fA-F]{1,8}")
#: HBM sizes are whole numbers of these: one beat of the bus.
BEAT = 64

Word = TypeVar("Word", np.uint8, np.uint16, np.uint32, np.float16)


@dataclass(frozen=True)
class Preload:
    """What is put into the memories, each from its first word on.

    Attributes:
        hbm: uint8.
        fpmem: raw bf16, uint16.
        intmem: uint32.
        vram: raw bf16, uint16.
        files: where each comes from, by memory.
    """

    hbm: NDArray[np.uint8]
    fpmem: NDArray[np.uint16]
    intmem: NDArray[np.uint32]
    vram: NDArray[np.uint16]
    files: dict[str, Path]

    def put_into(self, images: MemoryImages) -> None:
        """Write everything into `images`.

        Raises:
            PeerError: a file does not fit its memory.
        """
        for memory, path in self.files.items():
            words, target = getattr(self, memory), getattr(images, memory)
            if words.size > target.size:
                reason = f"{words.size} words do not fit {memory}, which has {target.size}"
                raise PeerError(path, None, reason)
            target[: words.size] = words


def read_program(path: Path) -> list[int]:
    """The words of a machine-code file: hexadecimal tokens, ``0x`` optional.

    Raises:
        PeerError: the file cannot be read, is empty, or has a token that is no word.
    """
    tokens = read_text(path).split()
    for number, token in enumerate(tokens, start=1):
        if not _WORD.fullmatch(token):
            raise PeerError(path, f"word {number}", f"'{token[:40]}' is not one to eight hexadecimal digits")
    if not tokens:
        raise PeerError(path, None, "it holds no word")
    return [int(token, 16) for token in tokens]


def _words(path: Path, dtype: type[Word]) -> NDArray[Word]:
    """A file as little-endian words."""
    data, size = read_bytes(path), np.dtype(dtype).itemsize
    if len(data) % size:
        raise PeerError(path, None, f"{len(data)} bytes are no whole number of {size}-byte words")
    return np.frombuffer(data, np.dtype(dtype).newbyteorder("<"))


def read_preload(hbm: Path, fpmem: Path, intmem: Path | None, vram: Path | None) -> Preload:
    """Read what is put into the memories; FP_MEM's file holds float16, which becomes bf16 through f32.

    Raises:
        PeerError: a file cannot be read, or is no whole number of words.
    """
    half = _words(fpmem, np.float16)
    return Preload(
        hbm=_words(hbm, np.uint8),
        fpmem=bf16_from_float(half.astype(np.float32)),
        intmem=np.zeros(0, np.uint32) if intmem is None else _words(intmem, np.uint32),
        vram=np.zeros(0, np.uint16) if vram is None else _words(vram, np.uint16),
        files={
            "hbm": hbm,
            "fpmem": fpmem,
            **({} if intmem is None else {"intmem": intmem}),
            **({} if vram is None else {"vram": vram}),
        },
    )


def read_directory(folder: Path) -> tuple[list[int], Preload]:
    """Program and preload of a build directory; INT_MEM's and VRAM's files may be missing.

    Raises:
        PeerError: a file that is needed is missing, or one is odd.
    """
    if not folder.is_dir():
        raise PeerError(folder, None, "no such directory")

    def optional(name: str) -> Path | None:
        return folder / name if (folder / name).exists() else None

    words = read_program(folder / PROGRAM)
    return words, read_preload(folder / HBM, folder / FP_MEM, optional(INT_MEM), optional(VRAM))


def usual_hbm_size(preload: int) -> int:
    """Bytes of HBM where nobody says how many: twice the preload, in whole beats."""
    return max(-(-2 * preload // BEAT), 1) * BEAT


def read_hbm_size(folder: Path, preload: int) -> int:
    """Bytes of HBM that belong to data: what the directory says, else twice the preload.

    Args:
        folder: the directory.
        preload: bytes of the HBM image.

    Raises:
        PeerError: the size is no number, or less than the preload.
    """
    path = folder / HBM_SIZE
    if not path.exists():
        return usual_hbm_size(preload)
    text = read_text(path).strip()
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise PeerError(path, None, f"'{text[:40]}' is no number of bytes")
    if int(text) < preload:
        raise PeerError(path, None, f"{text} bytes are less than {HBM} has ({preload})")
    return -(-int(text) // BEAT) * BEAT
