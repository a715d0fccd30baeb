"""Tiles and what the mask leaves of them, against the mask itself."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from plena_ref.golden import attention as golden
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.attention.tiling import diagonal_shift, query_tiles

LENGTHS = ((1, 1), (5, 5), (16, 16), (17, 17), (40, 40), (3, 11), (16, 20), (5, 40), (40, 47), (1, 48))


@pytest.mark.parametrize("window", [None, 1, 2, 15, 16, 17, 30, 100])
@pytest.mark.parametrize(("seq", "kv_seq"), LENGTHS)
def test_tiles_and_masks_together_are_the_mask(seq: int, kv_seq: int, window: int | None) -> None:
    """Every (query, key) pair is visible through the tiles exactly when its position says so.

    A tile is there only when it holds a visible pair, and has a mask only when it holds a hidden one.
    """
    wanted = np.zeros((seq, kv_seq), dtype=bool)
    for query, key in np.ndindex(seq, kv_seq):
        position = query + kv_seq - seq
        wanted[query, key] = key <= position and (window is None or key > position - window)
    seen = np.zeros((seq, kv_seq), dtype=bool)
    for tile in query_tiles(AttentionShape(1, seq, kv_seq, 1, 16, causal=True, window=window), 16):
        for key in tile.key_tiles:
            rows = slice(tile.index * 16, tile.index * 16 + tile.rows)
            part = np.ones((tile.rows, 16), dtype=bool)
            mask = key.mask(16)
            if mask is not None:
                row, column = np.indices(part.shape)
                part = column < mask.keys
                part &= True if mask.shift is None else column <= row + mask.shift
                part &= True if mask.low is None else column >= row + mask.low
                assert not part.all()
            assert not part[:, key.keys :].any(), "padding columns are hidden"
            seen[rows, key.index * 16 : key.index * 16 + key.keys] = part[:, : key.keys]
            assert part.any()
    np.testing.assert_array_equal(seen, wanted)


def visible_through_tiles(shape: AttentionShape, mlen: int) -> np.ndarray:
    """Which keys each query sees (bool, seq x kv_seq) when its tiles are computed and their masks added."""
    seen = np.zeros((shape.seq, shape.kv_seq), dtype=bool)
    row, column = np.indices((mlen, mlen))
    for tile in query_tiles(shape, mlen):
        for key in tile.key_tiles:
            mask = key.mask(mlen)
            part = np.ones((mlen, mlen), dtype=bool)
            if mask is not None:
                part &= column < mask.keys
                part &= mask.shift is None or column <= row + mask.shift
                part &= mask.low is None or column >= row + mask.low
            rows, keys = slice(tile.index * mlen, None), slice(key.index * mlen, None)
            seen[rows, keys][: tile.rows, : key.keys] = part[: tile.rows, : key.keys]
    return seen


@pytest.mark.parametrize("mlen", [8, 16, 32, 64, 128, 256])
def test_the_geometry_of_every_length_and_offset(mlen: int) -> None:
    """MLEN 8: every pair of lengths up to five tiles. Larger tiles: the lengths about each tile's edge."""
    edges = [n for k in range(3) for n in (k * mlen - 1, k * mlen, k * mlen + 1)]
    lengths = range(1, 41) if mlen == 8 else [n for n in edges if n > 0]
    for seq, kv_seq in product(lengths, repeat=2):
        for causal, window in ((False, None), (True, None), (True, 1), (True, mlen + 3)):
            if causal and kv_seq < seq:
                continue
            shape = AttentionShape(1, seq, kv_seq, 1, mlen, causal=causal, window=window)
            wanted = golden.visible_keys(seq, kv_seq, causal, window)
            assert (visible_through_tiles(shape, mlen) == wanted).all(), (seq, kv_seq, causal, window)


def test_the_diagonal_is_found_by_position() -> None:
    assert diagonal_shift(first_query=64, first_key=0, keys=64) is None
    assert diagonal_shift(first_query=63, first_key=0, keys=64) is None
    assert diagonal_shift(first_query=62, first_key=0, keys=64) == 62
    assert diagonal_shift(first_query=64, first_key=64, keys=1) is None
    assert diagonal_shift(first_query=64, first_key=64, keys=2) == 0
