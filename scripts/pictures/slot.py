"""The life of a slot: what an instruction of a unit goes through, and what it tells the scoreboard."""

from __future__ import annotations

from scripts.pictures.canvas import Canvas

#: The stretches of a slot's life, with the cycles that they take in the picture.
_STRETCHES = (
    ("waits for what it\ndepends on", 4, "wait"),
    ("reads its sources", 4, "a"),
    ("computes", 3, "plain"),
    ("writes", 3, "b"),
)
_CYCLE = 50


def draw() -> Canvas:
    """An instruction from dispatch to done, and two younger ones that wait for it."""
    c = Canvas(900, 330, "The life of a slot of a unit's queue")
    left, top = 130, 60
    c.text(20, top + 26, "slot s")
    edges = [left]
    for words, cycles, fill in _STRETCHES:
        c.box(edges[-1], top, cycles * _CYCLE, 46, words, fill)
        edges.append(edges[-1] + cycles * _CYCLE)
    for x, words in zip(
        (edges[0], edges[1], edges[2], edges[4]),
        ("push", "issue: slot_ready[s]", "slot_rd_done[s]", "slot_done[s]"),
        strict=True,
    ):
        c.line((x, top - 18), (x, 300))
        c.text(x, top - 24, words, 12, "middle")
    c.text(20, 176, "writes what")
    c.text(20, 193, "s reads")
    c.box(left + _CYCLE, 160, edges[2] - left - _CYCLE, 42, "s in until_read_q: write after read", "wait")
    c.box(edges[2], 160, 3 * _CYCLE, 42, "may issue", "c")
    c.arrow((edges[2], top + 48), (edges[2], 158))
    c.text(20, 256, "reads what")
    c.text(20, 273, "s writes")
    c.box(
        left + 2 * _CYCLE,
        240,
        edges[4] - left - 2 * _CYCLE,
        42,
        "s in until_done_q: read after write",
        "wait",
    )
    c.box(edges[4], 240, 1.0 * _CYCLE, 42, "", "c")
    c.arrow((edges[4], top + 48), (edges[4], 238))
    c.text(left, 318, "time: one cycle after a pulse its bit is gone, and slot_ready of who waited rises", 12)
    return c
