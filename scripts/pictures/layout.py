"""Column-block-major layout of a tensor in VRAM, and the view of one batch."""

from __future__ import annotations

from scripts.pictures.canvas import Canvas

_ROW = 26


def draw() -> Canvas:
    """A tensor of two batches and three column blocks, and the order of its rows in VRAM."""
    c = Canvas(860, 430, "Column-block-major layout, and the view of batch 1")
    c.text(20, 28, "tensor: R = 2 slabs of rows_per_batch rows, three blocks of MLEN columns")
    for block in range(3):
        c.text(75 + block * 110, 58, f"column block {block}", 12, "middle")
        for batch in range(2):
            fill = "a" if batch == 0 else "b"
            y = 66 + batch * 4 * _ROW
            c.box(20 + block * 110, y, 110, 3 * _ROW, f"batch {batch}", fill)
            c.box(20 + block * 110, y + 3 * _ROW, 110, _ROW, "padding", "wait")
    c.arrow((360, 66), (360, 66 + 8 * _ROW), both=True)
    c.text(368, 66 + 4 * _ROW + 5, "R rows")
    c.text(520, 58, "VRAM rows, from base on")
    top = 66
    for block in range(3):
        for batch in range(2):
            c.box(520, top, 200, 36, f"block {block}, batch {batch}", "a" if batch == 0 else "b")
            c.box(520, top + 36, 200, 10, "", "wait")
            if batch == 1:
                c.arrow((760, top + 4), (724, top + 4))
            top += 46
        c.line((520, top), (720, top))
    c.text(772, 66 + 46 + 8, "view of")
    c.text(772, 66 + 46 + 25, "batch 1")
    c.line((764, 66 + 50), (764, 66 + 46 * 5 + 4))
    c.text(20, 372, "element (r, c): base + (c div MLEN)*R*MLEN + r*MLEN + c mod MLEN", 13)
    c.text(
        20,
        396,
        "The view of a batch keeps R and moves base by rows_per_batch*MLEN: it has the same place",
        12,
    )
    c.text(20, 414, "in every column block. Padding is never compared, and must stay untouched.", 12)
    return c
