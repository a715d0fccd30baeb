"""Random cases as a hypothesis strategy: legal shapes for every kernel, and every kind of data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from plena_ref.machine.hardware import Hardware
from plena_ref.workloads.attention import Attention
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.input_data import DATA

#: Kernels of one query a sequence, those that know sliding windows, and those that know sinks.
DECODE = ("decode_attention", "decode_attention_one_row", "decode_attention_blocks")
WINDOWS = ("attention", "packed_attention", *DECODE)
SINKS = ("attention", *DECODE)
BATCH_MAX, HEADS_MAX, SEQ_MAX, HEAD_DIM_MIN, HEAD_DIM_MAX = 8, 6, 256, 8, 128
#: A head may have this many rows of scores, a row a key tile, and no more.
HEAD_ROW_TILES = 2048


def _heads(draw: st.DrawFn, hw: Hardware, kernel: str, heads_in_all: int) -> dict[str, int]:
    """Batches, heads and their size; at most `heads_in_all` heads in all batches where that is possible."""
    values: dict[str, int] = {}
    if kernel == "packed_attention":
        group = hw.lanes * draw(st.integers(1, 2))
        in_tile = hw.mlen // max(hw.hlen, hw.blen)
        values["kv_heads"] = draw(st.integers(1, in_tile) | st.just(2 * in_tile))
        values["heads"] = group * values["kv_heads"]
        values["batch"] = draw(st.integers(1, min(BATCH_MAX, max(1, heads_in_all // values["heads"]))))
        values["head_dim"] = hw.hlen
    else:
        values["batch"] = draw(st.integers(1, min(BATCH_MAX, heads_in_all)))
        values["heads"] = draw(st.integers(1, min(HEADS_MAX, max(1, heads_in_all // values["batch"]))))
        kv_heads = [count for count in range(1, values["heads"] + 1) if values["heads"] % count == 0]
        values["kv_heads"] = draw(st.sampled_from(kv_heads))
        multiples = range(max(HEAD_DIM_MIN, hw.blen), HEAD_DIM_MAX + 1, hw.blen)
        narrow = st.integers(HEAD_DIM_MIN, min(HEAD_DIM_MAX, 2 * hw.mlen))
        any_width = st.integers(HEAD_DIM_MIN, HEAD_DIM_MAX)
        values["head_dim"] = draw(st.sampled_from(multiples) | narrow | any_width)
    return values


@st.composite
def cases(
    draw: st.DrawFn,
    machines: Sequence[Hardware],
    row_tiles: int,
    kernels: Sequence[str] = tuple(Attention.kernels),
) -> Case:
    """A case for one of `machines`.

    Args:
        machines: what to choose from.
        row_tiles: rows of scores, a row a key tile, that all heads of all batches may have; a single head may
            have more, up to `HEAD_ROW_TILES`.
        kernels: keys of `Attention.kernels`.
    """
    hw = draw(st.sampled_from(machines))
    kernel = draw(st.sampled_from([name for name in kernels if name != "packed_attention" or hw.lanes > 1]))
    causal = draw(st.booleans())
    edges = [1, hw.mlen - 1, hw.mlen, hw.mlen + 1, SEQ_MAX]
    lengths = st.integers(1, 2 * hw.mlen + 3) | st.sampled_from(edges)
    square = hw.mlen * int(np.sqrt(HEAD_ROW_TILES / hw.mlen))
    seq = 1 if kernel in DECODE else min(square, draw(lengths))
    kv_max = min(SEQ_MAX, HEAD_ROW_TILES // seq * hw.mlen)
    kv_seq = draw(st.just(seq) | lengths.map(lambda keys: min(kv_max, keys + seq * causal)))
    heads_in_all = max(1, row_tiles // (seq * -(-kv_seq // hw.mlen)))
    data = draw(st.sampled_from(list(DATA)))
    values: dict[str, float] = {**_heads(draw, hw, kernel, heads_in_all)}
    if causal and kernel in WINDOWS and draw(st.booleans()):
        values["window"] = draw(st.integers(1, kv_seq + 1))
    if kernel in SINKS:
        values["sinks"] = draw(st.booleans())
    if data != "large":
        values["mask_value"] = draw(st.sampled_from([-np.inf, -6e4]))
    return make_case(
        "random",
        hardware=hw,
        seq=seq,
        kv_seq=kv_seq,
        causal=causal,
        seed=draw(st.integers(0, 1 << 16)),
        sigma=1.0,
        kernel=kernel,
        packed_output=draw(st.booleans()),
        data=data,
        tolerance=None,
        simulators=("verilator",),
        **values,
    )
