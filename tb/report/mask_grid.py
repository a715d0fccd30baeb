"""The mask of attention as a grid of tiles: skipped, masked in part, whole; and where the kernel differs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from plena_ref.kernels.attention.tiling import QueryTile
from tb.report.markup import section, text

Mask = NDArray[np.bool_]

#: Tiles along an edge that are drawn.
_MOST = 64


def section_of(wanted: Mask, taken: Mask | None, mlen: int) -> str:
    """The grid.

    Args:
        wanted: which keys a query must see, boolean seq x kv_seq.
        taken: which ones the kernel lets it see; None where the kernel does not say.
        mlen: edge of a tile.
    """
    seq, kv_seq = wanted.shape
    rows, columns = -(-seq // mlen), -(-kv_seq // mlen)
    size = max(8, min(40, 640 // max(rows, columns)))
    shapes, wrong = [], 0
    for row in range(min(rows, _MOST)):
        for column in range(min(columns, _MOST)):
            place = np.s_[row * mlen : (row + 1) * mlen, column * mlen : (column + 1) * mlen]
            kind, title = _tile(wanted[place], None if taken is None else taken[place])
            wrong += kind == "t-wrong"
            shapes.append(
                f'<rect class="{kind}" x="{column * size}" y="{row * size}" width="{size}" height="{size}">'
                f"<title>query tile {row}, key tile {column}: {text(title)}</title></rect>"
            )
    names = (
        ("t-skip", "skipped"),
        ("t-mask", "masked in part"),
        ("t-whole", "whole"),
        ("t-wrong", "the kernel's mask is another"),
    )
    key = "".join(
        f'<span><svg width="11" height="11"><rect class="{kind}" width="11" height="11"/></svg> {name}</span>'
        for kind, name in names
    )
    said = (
        "The kernel does not say which keys it takes."
        if taken is None
        else (
            f"In {wrong} tile{'s' * (wrong > 1)} the kernel lets queries see other keys than the golden does."
            if wrong
            else "The kernel lets every query see the keys that the golden does."
        )
    )
    across, down = min(columns, _MOST) * size, min(rows, _MOST) * size
    return section(
        "mask",
        f"Mask: tiles of {mlen} queries (down) by {mlen} keys (across)",
        f"<p>{said}</p>"
        f'<svg class="map" role="img" viewBox="0 0 {across} {down}" width="{across}">'
        f'<title>tiles of the mask</title>{"".join(shapes)}</svg><div class="key">{key}</div>',
    )


def _tile(wanted: Mask, taken: Mask | None) -> tuple[str, str]:
    """The class of a tile and its title."""
    seen = f"{int(wanted.sum())} of {wanted.size} pairs are seen"
    if taken is not None and not np.array_equal(wanted, taken):
        more, less = int((taken & ~wanted).sum()), int((wanted & ~taken).sum())
        return (
            "t-wrong",
            f"{seen}; the kernel shows {more} that it must not, and hides {less} that it must show",
        )
    if not wanted.any():
        return "t-skip", "nothing is seen"
    return ("t-whole", "everything is seen") if wanted.all() else ("t-mask", seen)


def taken_by(tiles: Iterable[QueryTile], seq: int, kv_seq: int, mlen: int) -> Mask:
    """Which keys the query tiles of a kernel let its queries see in each tile."""
    taken = np.zeros((seq, kv_seq), bool)
    for tile in tiles:
        for key in tile.key_tiles:
            row, column = np.arange(tile.rows)[:, None], np.arange(key.keys)[None, :]
            seen = np.ones((tile.rows, key.keys), bool)
            if key.shift is not None:
                seen &= column <= row + key.shift
            if key.low is not None:
                seen &= column >= row + key.low
            first, at = tile.index * mlen, key.index * mlen
            taken[first : first + tile.rows, at : at + key.keys] |= seen
    return taken
