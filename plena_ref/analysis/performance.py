"""Analytic cycle model of the attention kernel: what bounds it, in a formula. docs/performance.md derives it.

It counts cycles of plena_ref/kernels/attention/flash.py where two instructions a cycle are dispatched, for
sequences of whole tiles, without window, sinks or shared heads of K and V, and one key block a query tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from plena_ref.analysis.schedule import WIDEST, Sizes
from plena_ref.machine.hardware import Hardware

# Instructions of units, of which dispatch takes one a cycle (docs/kernels.md).
#: A row and a key tile: maximum, S - m, exp, sum, times 1/l.
ROW_TILE = 5
#: A row: what its maximum and its sum start from, and 1/l.
ROW = 3

# Constants, fitted to RTL runs of seq 64 and 128 with batch 1 and 4, and 256 and 512, at MLEN 64, BLEN 16.
#: Cycles that dispatch takes more than it has instructions of units, as a share of them.
LOSS = 0.14
#: Cycles of a row group of the array more than its products take.
ARRAY = 12
#: Memory latencies before the first product: the program, then scales and elements of K.
MEMORY_TRIPS = 2.0
#: The first head beyond that: set-up, masks, and the first key tile.
START = 80
#: A head: Qs, the scores of its first row group, and the output of its last, beyond what others hide.
HEAD = 180


class OutsideModel(ValueError):
    """A shape that the model does not describe; the message says why."""


@dataclass(frozen=True)
class _Tile:
    """A query tile that sees `keys` key tiles, the last of which has a diagonal if `masked`."""

    keys: int
    masked: int

    def score_blocks(self, group: int, blocks: int) -> int:
        """Blocks of BLEN by BLEN scores of a row group, of `blocks` a key tile."""
        return self.keys * blocks - self.masked * (blocks - 1 - group)


def _check(hw: Hardware, shape: Sizes) -> None:
    tiles = -(-shape.kv_seq // hw.mlen)
    rules = (
        (hw.dispatch_width == 2, "DISPATCH_WIDTH = 2"),
        (hw.blen < hw.mlen, "BLEN below MLEN"),
        (shape.seq == shape.kv_seq and shape.seq % hw.mlen == 0, "SEQ = KV_SEQ a multiple of MLEN"),
        (shape.head_dim == hw.mlen, "HEAD_DIM = MLEN"),
        (shape.heads == shape.kv_heads, "as many heads of K and V as of Q"),
        (shape.window is None and not shape.sinks, "no window and no sinks"),
        (
            tiles <= WIDEST and 2 * tiles <= hw.msram_tiles,
            f"at most {WIDEST} key tiles, all in MSRAM",
        ),
    )
    for holds, rule in rules:
        if not holds:
            raise OutsideModel(f"the cycle model needs {rule}")


def attention_cycles(hw: Hardware, shape: Sizes, latency: int) -> int:
    """Cycles from start to stop of the attention kernel.

    Args:
        hw: the machine.
        shape: the problem.
        latency: memory latency in cycles.

    Raises:
        OutsideModel: the model does not describe this machine or problem.
    """
    _check(hw, shape)
    count = shape.seq // hw.mlen
    # The longest query tile comes first.
    tiles = [_Tile(tile + 1 if shape.causal else count, int(shape.causal)) for tile in range(count)][::-1]
    heads = shape.batch * shape.heads
    return round(MEMORY_TRIPS * latency + START + heads * (HEAD + sum(_row_groups(hw, tiles))))


def _row_groups(hw: Hardware, tiles: list[_Tile]) -> Iterator[float]:
    """Cycles of each row group of a head: its softmax, beside what the array does for the one before."""
    blocks = hw.mlen // hw.blen
    for tile, following in zip(tiles, [*tiles[1:], None], strict=True):
        for group in range(blocks):
            softmax = hw.blen * (ROW_TILE * tile.keys + ROW + tile.masked)
            made = 0 if following is None else following.score_blocks(group, blocks)
            dispatched = softmax + blocks * (tile.keys + 1) + 2 * made + (hw.blen if following else 0)
            array = hw.blen * (blocks * tile.keys + made)
            yield max(dispatched * (1 + LOSS), array + ARRAY)
