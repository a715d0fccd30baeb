"""The machine: units, memories and what goes between them."""

from __future__ import annotations

from scripts.pictures.canvas import Canvas


def draw() -> Canvas:
    """The units of rtl/plena_core.sv, as docs/microarchitecture.md names them."""
    c = Canvas(860, 560, "The units and memories of the machine, and what goes between them")
    c.text(20, 32, "AXI4-Lite")
    c.box(20, 50, 190, 40, "control registers", "memory")
    c.arrow((90, 30), (115, 48))
    c.box(20, 130, 280, 130, "", "unit")
    c.text(160, 152, "frontend", 13, "middle")
    for row, words in enumerate(("instruction cache, decode, checks", "gp registers, integers, loops")):
        c.text(160, 174 + 17 * row, words, 12, "middle")
    c.text(160, 212, "dispatch in order, 1 or 2 a cycle", 12, "middle")
    c.text(160, 236, "scoreboard: slots, hazards", 12, "middle")
    c.arrow((115, 90), (115, 128), both=True)
    c.box(560, 20, 280, 56, "HBM (AXI4, 512 bit)\nMXFP8 or bf16 rows, program", "memory")
    c.box(560, 130, 280, 60, "HBM unit\ndecode, encode, coalesced bursts", "unit")
    c.arrow((700, 78), (700, 128), both=True)
    c.arrow((558, 50), (240, 50), (240, 128))
    c.text(330, 44, "fetch of lines", 12)
    c.arrow((302, 160), (558, 160))
    c.text(430, 152, "transfers", 12, "middle")
    c.box(560, 250, 125, 66, "MSRAM\nMLEN banks\ndiagonal", "memory")
    c.box(715, 250, 125, 66, "VRAM\n8 banks\n4 read, 3 write", "memory")
    c.arrow((622, 192), (622, 248))
    c.text(628, 224, "tiles", 12)
    c.arrow((778, 192), (778, 248), both=True)
    c.text(786, 224, "rows", 12)
    c.box(480, 390, 205, 70, "matrix unit: systolic array\nP x BLEN x BLEN, f32 sums", "unit")
    c.arrow((622, 318), (622, 388))
    c.text(628, 358, "rows or columns", 12)
    c.arrow((745, 318), (745, 410), (687, 410))
    c.arrow((687, 440), (770, 440), (770, 318))
    c.text(692, 432, "write-out", 12)
    c.box(480, 490, 205, 50, "vector unit, reduction tree", "unit")
    c.arrow((687, 514), (805, 514), (805, 318), both=True)
    c.text(700, 508, "rows", 12)
    c.box(20, 390, 150, 60, "float unit\nf0..f7", "unit")
    c.box(20, 490, 150, 50, "FP_MEM", "memory")
    c.arrow((95, 452), (95, 488), both=True)
    c.box(230, 330, 70, 30, "INT_MEM", "memory")
    c.arrow((265, 262), (265, 328), both=True)
    c.arrow((60, 262), (60, 388))
    c.text(66, 350, "float queue", 12)
    c.arrow((302, 210), (400, 210), (400, 420), (478, 420))
    c.text(306, 204, "matrix queue", 12)
    c.arrow((302, 240), (370, 240), (370, 505), (478, 505))
    c.text(306, 234, "vector q.", 12)
    c.arrow((172, 420), (330, 420), (330, 522), (478, 522), both=True)
    c.text(178, 412, "f registers", 12)
    c.arrow((172, 530), (478, 530))
    return c
