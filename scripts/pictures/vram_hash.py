"""Which bank of VRAM holds which row: the hash that spreads rows and columns of blocks over all eight."""

from __future__ import annotations

from plena_ref.machine.hardware import VRAM_BANKS
from scripts.pictures.canvas import Canvas

_CELL = 44
_FILLS = ("a", "b", "c", "d")
_MLEN = 16


def bank(row: int) -> int:
    """The bank of a row at MLEN 16: row[2:0] ^ row[6:4]."""
    return (row & 7) ^ (row >> (_MLEN.bit_length() - 1) & 7)


def draw() -> Canvas:
    """Rows 0 to 7 of eight blocks of MLEN rows, each with its bank."""
    c = Canvas(640, 470, "Banks of VRAM rows at MLEN 16")
    c.text(20, 28, "bank = row[2:0] ^ row[LM+2:LM], here MLEN 16 (LM = 4)")
    for column in range(VRAM_BANKS):
        c.text(190 + column * _CELL + _CELL / 2, 58, str(column), 12, "middle")
        for block in range(8):
            row = block * _MLEN + column
            c.box(
                190 + column * _CELL, 66 + block * _CELL, _CELL, _CELL, str(bank(row)), _FILLS[bank(row) % 4]
            )
    for block in range(8):
        c.text(20, 66 + block * _CELL + 27, f"rows {block * _MLEN} to {block * _MLEN + 7}", 12)
    c.text(190, 440, "Eight neighbouring rows lie in eight banks;", 12)
    c.text(190, 457, "so do the rows at one place of eight column blocks, MLEN rows apart.", 12)
    return c
