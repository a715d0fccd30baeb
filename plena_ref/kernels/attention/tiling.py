"""Attention cut into tiles of MLEN queries by MLEN keys, and what the mask leaves of each tile.

Everything follows from positions: the queries are the last `seq` of `kv_seq` positions. Under a causal mask
the query at position t sees keys up to t; with a sliding window of W it sees keys t-W+1..t.
"""

from __future__ import annotations

from dataclasses import dataclass

from plena_ref.kernels.attention.shape import AttentionShape


@dataclass(frozen=True)
class Mask:
    """The visible columns of a tile of scores: row i sees columns i+low..i+shift below `keys`.

    Attributes:
        low: None when no column lies before the window of any row.
        shift: None when no column below `keys` lies in the future of any row.
        keys: columns at and past this one hold no key, or are hidden from every row by `shift`.
    """

    low: int | None
    shift: int | None
    keys: int

    @property
    def uniform(self) -> bool:
        """All rows see the same columns."""
        return self.low is None and self.shift is None


@dataclass(frozen=True)
class KeyTile:
    """A key tile as one query tile sees it.

    Attributes:
        index: number of the key tile.
        keys: valid keys in it, 1..MLEN.
        shift: query row i sees no key column past i+shift; None when that hides no valid key.
        low: query row i sees no key column before i+low; None when that hides no key.
        first, last: position among the key tiles of the query tile.
    """

    index: int
    keys: int
    shift: int | None
    low: int | None
    first: bool
    last: bool

    def mask(self, mlen: int) -> Mask | None:
        """What must be hidden in a tile of MLEN columns; None when nothing is."""
        if self.low is None and self.shift is None and self.keys == mlen:
            return None
        return Mask(self.low, self.shift, mlen if self.shift is not None else self.keys)


@dataclass(frozen=True)
class KeyBlock:
    """Key tiles whose softmax is one: their scores lie side by side.

    Attributes:
        index: position among the blocks of the query tile.
        tiles: the key tiles, in order.
        last: no block follows for this query tile.
        run, runs: number of its run of blocks, and how many runs the query tile has.
        place: position in the run, over which outputs and sums are added one after the other.
        ends_run: no block follows in its run.
    """

    index: int
    tiles: tuple[KeyTile, ...]
    last: bool
    run: int
    runs: int
    place: int
    ends_run: bool

    @property
    def first(self) -> bool:
        """No block comes before it."""
        return self.index == 0

    @property
    def begins_run(self) -> bool:
        """No block comes before it in its run."""
        return self.place == 0

    @property
    def completes(self) -> bool:
        """With it, the sums of the query tile are complete."""
        return self.last and self.runs == 1


@dataclass(frozen=True)
class QueryTile:
    """A query tile and the key tiles that it attends to, in order."""

    index: int
    rows: int
    key_tiles: tuple[KeyTile, ...]

    def key_blocks(self, width: int, run: int) -> tuple[KeyBlock, ...]:
        """The key tiles in blocks of `width`, the blocks in runs of `run`; the last may be smaller."""
        starts = range(0, len(self.key_tiles), width)
        return tuple(
            KeyBlock(
                index,
                self.key_tiles[start : start + width],
                last=start == starts[-1],
                run=index // run,
                runs=-(-len(starts) // run),
                place=index % run,
                ends_run=start == starts[-1] or (index + 1) % run == 0,
            )
            for index, start in enumerate(starts)
        )


def diagonal_shift(first_query: int, first_key: int, keys: int) -> int | None:
    """How far right the causal diagonal lies in a tile, or None when no key of the tile is hidden.

    Args:
        first_query: global position of the tile's first query.
        first_key: global position of its first key.
        keys: valid keys in the tile.
    """
    shift = first_query - first_key
    return shift if keys - 1 > shift else None


def window_low(first_query: int, rows: int, first_key: int, window: int) -> int | None:
    """How far right the window's lower edge lies in a tile, or None when it hides no key of the tile.

    Args:
        first_query: global position of the tile's first query.
        rows: queries in the tile.
        first_key: global position of its first key.
        window: keys that a query sees, its own included.
    """
    low = first_query - window + 1 - first_key
    return low if rows - 1 + low > 0 else None


def query_tiles(shape: AttentionShape, mlen: int) -> tuple[QueryTile, ...]:
    """The tiles of one head in program order; key tiles that no query of the tile sees are left out."""
    tiles = []
    for query in range(-(-shape.seq // mlen)):
        rows = min(mlen, shape.seq - query * mlen)
        first_position = shape.query_offset + query * mlen
        end = min(shape.kv_seq, first_position + rows) if shape.causal else shape.kv_seq
        begin = 0 if shape.window is None else max(0, first_position - shape.window + 1)
        present = range(begin // mlen, -(-end // mlen))
        keys = []
        for key in present:
            valid = min(mlen, shape.kv_seq - key * mlen)
            shift = low = None
            if shape.causal:
                shift = diagonal_shift(first_position, key * mlen, valid)
            if shape.window is not None:
                low = window_low(first_position, rows, key * mlen, shape.window)
            keys.append(KeyTile(key, valid, shift, low, key == present[0], key == present[-1]))
        tiles.append(QueryTile(query, rows, tuple(keys)))
    return tuple(tiles)
