"""Y = X W^T for a panel of W whose tiles come from the stream; more are fetched between the products."""

from __future__ import annotations

from plena_ref.kernels.language_model.tile_stream import TileStream
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import GP0, Program, Register


class StreamLinear:
    """Products of up to one systolic block of rows, or several.

    Reads rows of X up to a whole block, which reach only the same rows of Y.

    Args:
        p: the program.
        stream: where the weights come from.
        rows: rows of X.
    """

    def __init__(self, p: Program, stream: TileStream, rows: int) -> None:
        self.p, self.stream, self.hw = p, stream, stream.hw
        self.groups = -(-rows // self.hw.blen)

    def panel(self, x: VramTensor, y: VramTensor, column: int) -> None:
        """Columns column..column+MLEN-1 of Y, with the next panel of the stream."""
        stream, p, blen = self.stream, self.p, self.hw.blen
        steps = self.hw.mlen // blen
        stream.complete()
        count = stream.plan()
        each, rest = divmod(count, steps)
        stream.fetch(rest)
        tiles = stream.next_panel()
        at_once = stream.fetched % stream.ring + each * steps <= stream.ring
        with p.gps("BLEN outputs of W", "block of Y") as (w, target):
            p.load_constant(w, stream.place(tiles.start))
            p.point(target, y, 0, column)
            if at_once and each:
                with stream.fetching() as fetch, p.repeat(steps, "BLEN outputs at a time"):
                    for _ in range(each):
                        stream.fetch_next(*fetch)
                    self._block(x, tiles, w, target)
                stream.fetched += each * steps
            elif each:
                for _ in range(steps):
                    stream.fetch(each)
                    self._block(x, tiles, w, target)
            else:
                with p.repeat(steps, "BLEN outputs at a time"):
                    self._block(x, tiles, w, target)

    def _block(self, x: VramTensor, tiles: range, w: Register, target: Register) -> None:
        """BLEN outputs for all rows; the pointers move to the next ones."""
        p, hw = self.p, self.hw
        with p.gps("BLEN rows of X", "result") as (rows, result):
            p.point(rows, x)
            p.add(result, target, 0)
            with p.repeat(self.groups, "BLEN rows at a time"):
                self._products(x, tiles, w, rows)
                p.M_MM_WO(result, GP0, 0)
                p.add(rows, rows, hw.blen * hw.mlen)
                p.add(result, result, hw.blen * hw.mlen)
        p.add(w, w, hw.blen * hw.mlen)
        p.add(target, target, hw.blen)

    def _products(self, x: VramTensor, tiles: range, w0: Register, rows: Register) -> None:
        """The accumulators += BLEN rows of X times BLEN outputs of W."""
        p, stream = self.p, self.stream
        with p.gps("X", "W tile") as (block, w):
            p.add(block, rows, 0)
            for run in stream.runs(tiles):
                p.add(w, w0, stream.place(run.start) - stream.place(tiles.start))
                with p.repeat(len(run), "inputs, MLEN at a time"):
                    p.M_TMM(block, w)
                    p.add(block, block, x.block_stride)
                    p.add(w, w, self.hw.tile_elems)
