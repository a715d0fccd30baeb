"""How many key tiles each form of attention takes together, from sizes of the problem and the machine.

This restates the rules of docs/kernels.md and shares no code with the kernels: a test compares both. The
forms differ in what they keep in VRAM beside the scores, and so in how many tiles of scores still fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.attention_problem import Schedule, tiles_of
from plena_ref.golden.attention import visible_keys
from plena_ref.machine.hardware import Hardware

#: A softmax is over so many key tiles at most.
WIDEST = 8
#: Blocks of key tiles, or products of the decode step, whose results are added one after the other.
RUN = 16


@dataclass(frozen=True)
class Sizes:
    """The sizes of an attention problem.

    Attributes:
        batch, seq, kv_seq, heads, kv_heads, head_dim, causal, window: as everywhere.
        sinks: each query head has a sink.
        packed_output: O's batches lie one after the other instead of in slabs of whole tiles.
    """

    batch: int
    seq: int
    kv_seq: int
    heads: int
    kv_heads: int
    head_dim: int
    causal: bool
    window: int | None = None
    sinks: bool = False
    packed_output: bool = False


def attention_schedule(hw: Hardware, sizes: Sizes) -> Schedule:
    """Flash attention: key tiles whose scores fit VRAM beside everything else, and their K and V MSRAM."""
    blocks = _ceil(sizes.head_dim, hw.mlen)
    kept = _operand_rows(hw, sizes, sizes.heads * blocks)
    return _online(hw, sizes, blocks, kept, hw.mlen, by_product=False, packed=False)


def packed_schedule(hw: Hardware, sizes: Sizes) -> Schedule:
    """The packed form: scores of LANES heads below each other; narrow heads go through scratch."""
    kept = _operand_rows(hw, sizes, _ceil(sizes.heads * hw.hlen, hw.mlen))
    narrow = hw.hlen < hw.blen
    return _online(hw, sizes, 1, kept, hw.lanes * hw.mlen, by_product=narrow, packed=True)


def decode_schedule(hw: Hardware, sizes: Sizes) -> Schedule:
    """One softmax over all keys; the products of as many tiles as MSRAM holds beside those of K."""
    together = hw.msram_tiles // (2 * _ceil(sizes.head_dim, hw.mlen))
    longest = _longest(hw.mlen, sizes)
    return Schedule(hw.mlen, longest, together, _run(_ceil(longest, together)))


def plain_schedule(hw: Hardware, sizes: Sizes) -> Schedule:
    """The plain form: online from tile to tile."""
    return Schedule(hw.mlen, 1, 1, scaled_scores=True)


def _online(
    hw: Hardware, sizes: Sizes, blocks: int, kept: int, score_rows: int, by_product: bool, packed: bool
) -> Schedule:
    """Blocks of key tiles, each `score_rows` rows of scores, in what `kept` rows leave of VRAM.

    The packed form stages no scores. Weights are scaled where heads fill their column blocks, but there.
    """
    mlen = hw.mlen
    scratch = kept + 2 * mlen * blocks + _mask_rows(hw, sizes, not packed)
    longest = _longest(mlen, sizes)
    most = min(longest, WIDEST, hw.msram_tiles // (2 * blocks))
    rows = hw.vram_elems // mlen

    def width(taken: int) -> int:
        return max(1, min(most, (rows - taken) // score_rows))

    if by_product or width(scratch) < longest:
        scratch += mlen * blocks
    if _ceil(longest, width(scratch)) > RUN:
        scratch += mlen * (blocks + 2)
    together = width(scratch)
    scaled = not packed and _ceil(sizes.head_dim, hw.blen) * hw.blen == blocks * mlen
    return Schedule(mlen, together, together, _run(_ceil(longest, together)), scaled_weights=scaled)


def _run(products: int) -> int:
    """Terms of a running sum: RUN, or as many as there are then sums, where those were more than RUN."""
    return min(products, max(RUN, math.ceil(math.sqrt(products))))


def _ceil(value: int, unit: int) -> int:
    return -(-value // unit)


def _operand_rows(hw: Hardware, sizes: Sizes, columns: int) -> int:
    """VRAM rows of Q and O, each `columns` rows of MLEN wide."""
    slabs = sizes.batch * _ceil(sizes.seq, hw.mlen)
    packed = _ceil(sizes.batch * sizes.seq, hw.mlen)
    return (slabs + (packed if sizes.packed_output else slabs)) * hw.mlen * columns


def _visible(sizes: Sizes) -> NDArray[np.bool_]:
    return visible_keys(sizes.seq, sizes.kv_seq, sizes.causal, sizes.window)


def _longest(mlen: int, sizes: Sizes) -> int:
    """Key tiles that the query tile with the most of them sees."""
    visible = _visible(sizes)
    return max(
        sum(bool(visible[rows, keys].any()) for keys in tiles_of(sizes.kv_seq, mlen))
        for rows in tiles_of(sizes.seq, mlen)
    )


def _mask_rows(hw: Hardware, sizes: Sizes, staged: bool) -> int:
    """VRAM rows of the masks: one tensor for each shape that the hidden part of a tile has.

    A tile that hides the same keys from every row needs one row. The others need one per query. Any mask
    needs one more row to be made from, and a mask with a lower edge two. Scores under a mask that hides
    blocks of BLEN by BLEN are staged: padding, or a diagonal from corner to corner.
    """
    mlen = hw.mlen
    visible, offset = _visible(sizes), sizes.kv_seq - sizes.seq
    shapes: dict[tuple[int | None, int | None, int | None], int] = {}
    for rows in tiles_of(sizes.seq, mlen):
        for keys in tiles_of(sizes.kv_seq, mlen):
            part = visible[rows, keys]
            if not part.any():
                continue
            distance = offset + rows.start - keys.start
            length = keys.stop - keys.start
            upper = distance if sizes.causal and length > distance + 1 else None
            last = distance + rows.stop - rows.start - 1
            lower = distance if sizes.window is not None and last >= sizes.window else None
            padding = length if upper is None and length < mlen else None
            if (upper, lower, padding) != (None, None, None):
                uniform = upper is None and lower is None
                shapes[upper, lower, padding] = 1 if uniform else min(mlen, sizes.seq)
    edges = any(lower is not None for _, lower, _ in shapes)
    apart = sum(
        (lower is None and upper == 0 and hw.blen < mlen)
        or (upper is None and lower is None and padding is not None and padding <= mlen - hw.blen)
        for upper, lower, padding in shapes
    )
    stages = staged * apart * _ceil(min(mlen, sizes.seq), hw.blen) * hw.blen
    return sum(shapes.values()) + bool(shapes) + 2 * edges + stages


def head_columns(kernel: str, hw: Hardware, head_dim: int) -> int:
    """Columns from a head of K or V to the next: which elements share a scale depends on them."""
    if kernel == "packed_attention":
        return max(hw.hlen, hw.blen)
    return _ceil(head_dim, hw.mlen) * hw.mlen


def cached_schedule(hw: Hardware, sizes: Sizes) -> Schedule:
    """The decode step for a single query, else flash attention."""
    decode = sizes.seq == 1 and sizes.heads <= hw.mlen * sizes.kv_heads
    return (decode_schedule if decode else attention_schedule)(hw, sizes)


#: By the name of the kernel.
SCHEDULES = {
    "attention": attention_schedule,
    "cached_attention": cached_schedule,
    "packed_attention": packed_schedule,
    "decode_attention": decode_schedule,
    "decode_attention_one_row": decode_schedule,
    "decode_attention_blocks": decode_schedule,
    "plain_attention": plain_schedule,
    "plain_attention_element_offsets": plain_schedule,
}
