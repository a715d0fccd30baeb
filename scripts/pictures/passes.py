"""Passes of the array in time, and the two banks of accumulators that they take in turn."""

from __future__ import annotations

from scripts.pictures.canvas import Canvas

_CYCLE, _LEFT, _BLEN = 22, 150, 4


def draw() -> Canvas:
    """Four passes at BLEN 4, with a write-out after every second one."""
    c = Canvas(800, 300, "Passes and accumulator banks in time, BLEN 4, M_MM M_MM M_MM_WO twice")
    fills = ("a", "b")
    for number in range(4):
        x = _LEFT + number * _BLEN * _CYCLE
        c.box(x, 50, _BLEN * _CYCLE, 34, f"pass {number}", fills[number // 2])
    c.text(20, 72, "operand pairs")
    c.text(_LEFT, 38, "one pair a cycle, BLEN pairs a pass; the next pass follows at once", 12)
    for row in range(_BLEN):
        y = 110 + 18 * row
        c.text(20, y + 13, f"array row {row}", 12)
        for number in range(4):
            x = _LEFT + (number * _BLEN + row) * _CYCLE
            c.box(x, y, _BLEN * _CYCLE, 18, "", fills[number // 2])
    drain = _BLEN + 1
    for bank in range(2):
        y = 206 + 34 * bank
        c.text(20, y + 18, f"bank {bank}")
        first = _LEFT + 2 * bank * _BLEN * _CYCLE
        c.box(first, y, 2 * _BLEN * _CYCLE, 26, "sums", fills[bank])
        last = first + (2 * _BLEN + drain) * _CYCLE
        c.box(last, y, _BLEN * _CYCLE, 26, "drains", "c")
    c.text(
        20, 290, "Row i drains right after its last multiply-accumulate; the array never waits for it.", 12
    )
    return c
