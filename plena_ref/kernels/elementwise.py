"""The rows of tensors that are worked on element by element, a few at a time.

A row instruction that needs the result of the one before it issues three cycles after it. So the rows of
three column blocks, or three rows of one, are under way at a time, whichever leaves fewer rests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import Program, Register

#: Rows under way at a time.
ROWS_IN_FLIGHT = 3
#: at(tensor, n): a register with the address of row n under way of a tensor; good until the next call for
#: this tensor.
RowAt = Callable[[int, int], Register]


def each_row(
    p: Program, tensors: Sequence[VramTensor], body: Callable[[int, RowAt], None], title: str
) -> None:
    """Write `body(count, at)` for `count` rows at a time of all column blocks of tensors of one shape.

    Args:
        p: the program.
        tensors: rows x columns each; their physical heights may differ.
        body: writes the instructions for rows 0..count-1 under way.
        title: for the listing.
    """
    rows, blocks, mlen = tensors[0].rows, tensors[0].column_blocks, tensors[0].mlen
    down, across = [mlen] * len(tensors), [tensor.block_stride for tensor in tensors]
    by_rows = blocks * -(-rows // ROWS_IN_FLIGHT) < rows * -(-blocks // ROWS_IN_FLIGHT)
    inner, step = (rows, down) if by_rows else (blocks, across)
    outer, next_run = (blocks, across) if by_rows else (rows, down)
    with ExitStack() as stack:
        first = [stack.enter_context(p.gp(f"row of {tensor.name}")) for tensor in tensors]
        others = [stack.enter_context(p.gp(f"another row of {tensor.name}")) for tensor in tensors]

        def at(tensor: int, n: int) -> Register:
            if n == 0:
                return first[tensor]
            p.add(others[tensor], first[tensor], n * step[tensor])
            return others[tensor]

        for register, tensor in zip(first, tensors, strict=True):
            p.point(register, tensor)
        full, rest = divmod(inner, ROWS_IN_FLIGHT)
        with p.repeat(outer, title):
            for passes, count in ((full, ROWS_IN_FLIGHT), (1, rest)):
                if passes * count:
                    with p.repeat(passes, f"{count} at a time"):
                        body(count, at)
                        for register, distance in zip(first, step, strict=True):
                            p.add(register, register, count * distance)
            for register, distance, back in zip(first, next_run, step, strict=True):
                p.add(register, register, distance - inner * back)
