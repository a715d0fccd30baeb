"""Overlap in the attention kernel: the array is one group of rows behind the softmax."""

from __future__ import annotations

from scripts.pictures.canvas import Canvas

_GROUP, _LEFT = 150, 130


def draw() -> Canvas:
    """Four row groups of a step: vector unit, array, and the transfers that come ahead."""
    c = Canvas(800, 270, "Overlap in attention: softmax, products and transfers")
    c.text(20, 84, "vector unit")
    c.text(20, 144, "array")
    c.text(20, 204, "HBM")
    fills = ("a", "b", "c", "d")
    for group in range(4):
        x = _LEFT + group * _GROUP
        c.box(x, 60, _GROUP, 40, f"softmax of group {group}", fills[group])
        if group:
            c.box(x + 35, 120, 50, 40, f"P V {group - 1}", fills[group - 1])
            c.box(x + 95, 120, 55, 40, f"Q K {group - 1}", fills[group - 1])
    c.box(_LEFT, 180, 110, 40, "V of this step", "memory")
    c.box(_LEFT + 120, 180, 120, 40, "K of the next", "memory")
    c.box(_LEFT + 250, 180, 120, 40, "V of the next", "memory")
    c.text(_LEFT, 40, "one step: a query tile and a block of key tiles, BLEN rows (a group) at a time", 12)
    c.text(
        20,
        250,
        "P V: of the group before. Q K: scores of that group for the next step, in the place of P.",
        12,
    )
    return c
