"""GELU: Y = X / (1 + exp(-u)), u = X * (c0 + c1 q + ...), q = min(X^2, limit), row by row.

Which form of GELU it is, is a matter of the coefficients, which the host stages: two without a limit for the
form with tanh, three with one for the exact form. It saturates by itself, as SwiGLU does; X is at least the
lowest finite number, so that 0 * -infinity is 0.
"""

from __future__ import annotations

from contextlib import ExitStack

from plena_ref.kernels.elementwise import ROWS_IN_FLIGHT, RowAt, each_row
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.operator import RowsOperator
from plena_ref.kernels.program import F0, GP0, Program, Register
from plena_ref.kernels.sigmoid import emit_sigmoids
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: FP_MEM words that the host stages: the lowest finite bf16, the limit of q (infinity for none), and from
#: COEFFICIENTS on the coefficients, negated.
LOWEST, LIMIT, COEFFICIENTS = 0, 1, 2
#: Places of the tensors in the walk over their rows.
SOURCE, RESULT = 0, 1


class GeluKernel(RowsOperator):
    """GELU on given tensors; Y may be X. Where X has 0 as padding, so has Y.

    Args:
        hw: the machine.
        x, result: rows x features each.
        coefficients: how many, 2 or 3; with 3 there is a limit.
        constants: FP_MEM word from which the host stages COEFFICIENTS + `coefficients` words.
        room: where to take scratch from; `LayoutError` where a memory is full.
    """

    def __init__(
        self, hw: Hardware, x: VramTensor, result: VramTensor, coefficients: int, constants: int, room: Room
    ) -> None:
        self.hw = hw
        self.x, self.result = x, result
        self.coefficients, self.constants = coefficients, constants
        names = ("squares", "arguments")[: coefficients - 1]
        self.steps = [room.vram.tensor(name, ROWS_IN_FLIGHT, hw.mlen) for name in names]

    @property
    def title(self) -> str:
        """What it does."""
        return f"GELU of {self.x.rows} rows of {self.x.cols} features, {self.coefficients} coefficients"

    def scratch(self) -> list[Region]:
        """Squares and arguments of the rows under way."""
        return [region for tensor in self.steps for region in tensor.row_regions(0, ROWS_IN_FLIGHT)]

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        with ExitStack() as stack:
            words = [LOWEST, LIMIT, *range(COEFFICIENTS, COEFFICIENTS + self.coefficients)]
            constants = []
            for word in words:
                constants.append(stack.enter_context(p.fp(f"constant {word} of GELU")))
                p.S_LD_FP(constants[-1], GP0, self.constants + word)
            one = stack.enter_context(p.fp("1"))
            p.S_EXP_FP(one, F0, comment="1")
            steps = [
                [stack.enter_context(p.gp(f"{tensor.name}, {n}")) for n in range(ROWS_IN_FLIGHT)]
                for tensor in self.steps
            ]
            for tensor, registers in zip(self.steps, steps, strict=True):
                for n, register in enumerate(registers):
                    p.point(register, tensor, n)

            def body(count: int, at: RowAt) -> None:
                squares, arguments = steps[0][:count], steps[-1][:count]
                for n in range(count):
                    p.V_MAX_VF(at(RESULT, n), at(SOURCE, n), constants[LOWEST])
                for n, row in enumerate(squares):
                    x = at(RESULT, n)
                    p.V_MUL_VV(row, x, x)
                if squares != arguments:
                    for row in squares:
                        p.V_MIN_VF(row, row, constants[LIMIT])
                self._argument(p, squares, arguments, constants[COEFFICIENTS:], at)
                emit_sigmoids(p, arguments, one)
                for n, row in enumerate(arguments):
                    x = at(RESULT, n)
                    p.V_MUL_VV(x, x, row)

            each_row(p, (self.x, self.result), body, "Y = X / (1 + exp(-u))")

    def _argument(
        self,
        p: Program,
        squares: list[Register],
        arguments: list[Register],
        coefficients: list[Register],
        at: RowAt,
    ) -> None:
        """arguments = -u, by Horner's rule; the coefficients are negative."""
        for square, row in zip(squares, arguments, strict=True):
            p.V_MUL_VF(row, square, coefficients[-1])
        for number, coefficient in enumerate(reversed(coefficients[:-1])):
            for square, row in zip(squares, arguments, strict=True) if number else ():
                p.V_MUL_VV(row, row, square)
            for row in arguments:
                p.V_ADD_VF(row, row, coefficient)
        for n, row in enumerate(arguments):
            p.V_MUL_VV(row, row, at(RESULT, n))
