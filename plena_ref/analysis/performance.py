"""Analytic cycle model of the attention kernel: what bounds it, in a formula. docs/performance.md derives it.

It counts cycles of plena_ref/kernels/attention/flash.py where two instructions a cycle are dispatched, for
sequences of whole tiles, without window, sinks or shared heads of K and V, and one key block a query tile.
"""

from __future__ import annotations

from dataclasses import dataclass

from plena_ref.analysis.schedule import WIDEST, Sizes
from plena_ref.machine.hardware import Hardware

#: Rows whose softmax is under way at a time (docs/kernels.md).
ROWS_IN_FLIGHT = 4

# Constants in cycles. The first three follow from latencies of docs/microarchitecture.md, the others are
# fitted to RTL runs of seq 64, 128, 256 and 512, batch 1, 2, 4 and 8, at MLEN 64, BLEN 16.
#: A vector instruction issues every cycle.
ISSUE = 1
#: A maximum or sum that continues the one of the tile before, beyond log2(MLEN)/2 or log2(MLEN) tree levels.
REDUCTION = 2
#: Memory latencies before the first product and after the last: program, scales, elements, partly overlapped.
MEMORY_TRIPS = 1.75
#: Rows in flight: the start and end of their chain, scaling of Q, division by the sum.
ROWS = 35
#: Rows in flight and one masked key tile.
MASK = 9.5
#: Share of a row group's softmax that the array does not run beside: dispatch stands before its full queue.
EXPOSED = 0.4
#: Work left in the queue of the array when dispatch turns to the next row group.
OVERLAP = 72
#: A head begins before the one ahead of it has ended.
HEAD_OVERLAP = 138
#: A row of the diagonal mask, made once.
MASK_ROW = 1


class OutsideModel(ValueError):
    """A shape that the model does not describe; the message says why."""


@dataclass(frozen=True)
class _Step:
    """A query tile: its row groups meet `tiles` key tiles, `masked` of which have a mask."""

    tiles: int
    masked: int


def _check(hw: Hardware, shape: Sizes) -> None:
    tiles = -(-shape.kv_seq // hw.mlen)
    rules = (
        (hw.dispatch_width == 2, "DISPATCH_WIDTH = 2"),
        (hw.blen >= ROWS_IN_FLIGHT, f"BLEN >= {ROWS_IN_FLIGHT}"),
        (shape.seq == shape.kv_seq and shape.seq % hw.mlen == 0, "SEQ = KV_SEQ a multiple of MLEN"),
        (shape.head_dim <= hw.mlen, "HEAD_DIM at most MLEN"),
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
    steps = [_Step(tile + 1 if shape.causal else count, int(shape.causal)) for tile in range(count)]
    head = _head_cycles(hw, steps)
    masks = MASK_ROW * hw.mlen if shape.causal else 0
    return round(MEMORY_TRIPS * latency + masks + shape.batch * shape.heads * head)


def _head_cycles(hw: Hardware, steps: list[_Step]) -> float:
    """The scores of the first step, then step by step the row groups."""
    groups = hw.mlen // hw.blen
    cycles: float = groups * _product(hw, steps[0].tiles) - HEAD_OVERLAP
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        softmax = _softmax(hw, step)
        array = _product(hw, step.tiles) + (_product(hw, following.tiles) if following else 0)
        cycles += groups * max(softmax, array + EXPOSED * softmax - OVERLAP)
    return cycles


def _product(hw: Hardware, tiles: int) -> int:
    """The array on one row group and some key tiles: MLEN/BLEN products a tile, BLEN cycles each."""
    return tiles * (hw.mlen // hw.blen) * hw.blen


def _softmax(hw: Hardware, step: _Step) -> float:
    """The vector unit on one row group: rows in flight together, key tile by key tile.

    A row's maximum (then its sum) waits for that of the tile before; the other rows in flight fill the time.
    """
    levels = hw.mlen.bit_length() - 1
    passes = 2 * ROWS_IN_FLIGHT * ISSUE  # S - m, exp
    maximum = max(ROWS_IN_FLIGHT * ISSUE, -(-levels // 2) + REDUCTION)
    total = max(ROWS_IN_FLIGHT * ISSUE, levels + REDUCTION)
    rows = ROWS + step.tiles * (passes + maximum + total) + step.masked * MASK
    return hw.blen // ROWS_IN_FLIGHT * rows
