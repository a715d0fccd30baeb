"""SwiGLU: Y = gate / (1 + exp(-gate)) * up, row by row.

It saturates by itself: where exp(-gate) overflows, its reciprocal is 0 and the product with any finite gate
is 0; where it vanishes, the sigmoid is 1. exp(gate) / (1 + exp(gate)) would be inf / inf.
"""

from __future__ import annotations

from contextlib import ExitStack

from plena_ref.kernels.elementwise import ROWS_IN_FLIGHT, RowAt, each_row
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.operator import RowsOperator
from plena_ref.kernels.program import F0, Program
from plena_ref.kernels.sigmoid import emit_sigmoids
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: Places of the tensors in the walk over their rows.
GATE, UP, RESULT = 0, 1, 2


class SwigluKernel(RowsOperator):
    """SwiGLU on given tensors; Y may be either of the others. Where both have 0 as padding, so has Y.

    Args:
        hw: the machine.
        gate, up, result: rows x features each.
        room: where to take scratch from; `LayoutError` where a memory is full.
    """

    def __init__(
        self, hw: Hardware, gate: VramTensor, up: VramTensor, result: VramTensor, room: Room
    ) -> None:
        self.hw = hw
        self.gate, self.up, self.result = gate, up, result
        self.sigmoids = room.vram.tensor("sigmoids", ROWS_IN_FLIGHT, hw.mlen)

    @property
    def title(self) -> str:
        """What it does."""
        return f"SwiGLU of {self.gate.rows} rows of {self.gate.cols} features"

    def scratch(self) -> list[Region]:
        """Sigmoids of the rows under way."""
        return self.sigmoids.row_regions(0, ROWS_IN_FLIGHT)

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        with ExitStack() as stack:
            one = stack.enter_context(p.fp("1"))
            p.S_EXP_FP(one, F0, comment="1")
            sigmoids = [stack.enter_context(p.gp(f"sigmoids, {n}")) for n in range(ROWS_IN_FLIGHT)]
            for n, row in enumerate(sigmoids):
                p.point(row, self.sigmoids, n)

            def body(count: int, at: RowAt) -> None:
                rows = sigmoids[:count]
                for n, row in enumerate(rows):
                    p.V_SUB_VF(row, at(GATE, n), F0, 0, 1)
                emit_sigmoids(p, rows, one)
                for n, row in enumerate(rows):
                    p.V_MUL_VV(row, row, at(GATE, n))
                for n, row in enumerate(rows):
                    p.V_MUL_VV(at(RESULT, n), row, at(UP, n))

            each_row(p, (self.gate, self.up, self.result), body, "Y = gate * sigmoid(gate) * up")
