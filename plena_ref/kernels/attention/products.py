"""Products of a block of rows with tiles of MSRAM, summed up in the accumulators."""

from __future__ import annotations

from collections.abc import Callable

from plena_ref.kernels.program import Program, Register


def multiply_key_blocks(
    p: Program,
    multiply: Callable[[Register, Register], None],
    queries: Register,
    keys: Register,
    blocks: int,
    query_stride: int,
    tile_elems: int,
) -> None:
    """Rows of queries times BLEN keys, over all column blocks of a head.

    Args:
        p: the program.
        multiply: one product, of (queries, keys).
        queries, keys: registers with the addresses in the first column block; they stay.
        blocks: column blocks.
        query_stride, tile_elems: elements from one column block of the queries and keys to the next.
    """
    multiply(queries, keys)
    if blocks == 1:
        return
    with p.gp("queries, next block") as queries_block, p.gp("keys, next block") as keys_block:
        for block in range(1, blocks):
            p.add(queries_block, queries if block == 1 else queries_block, query_stride)
            p.add(keys_block, keys if block == 1 else keys_block, tile_elems)
            multiply(queries_block, keys_block)
