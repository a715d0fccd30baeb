"""A kernel from a file of one's own: `make sim KERNEL=./mine.py FEATURES=64`; see docs/your_kernel.md.

The file has one class derived from :class:`OwnProblem`: which operands there are, the golden in float64, how
many roundings a result has, and the instructions.
"""

from __future__ import annotations

import importlib.util
import traceback
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from plena_ref.analysis.roundings import ResultRounding, as_heads
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.operator import RowsOperator
from plena_ref.kernels.program import Program
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.rounding_count import FLUSHED_OF_SUM, counted, relative_error
from plena_ref.verdict.tolerance import Tolerance
from plena_ref.workloads import families, overrides
from plena_ref.workloads.base import F64, Answer, Placed
from plena_ref.workloads.elementwise_problem import ElementwiseProblem

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case


class KernelFileError(ValueError):
    """A file that holds no kernel; the message names the file and the line."""


class OwnOperator(RowsOperator):
    """What a kernel of one's own is to a program.

    Args:
        kernel: the problem, which writes the instructions.
        operands: rows x features each.
        result: rows x features.
        constants: the first word of FP_MEM that holds its constants.
    """

    def __init__(
        self, kernel: OwnProblem, operands: tuple[VramTensor, ...], result: VramTensor, constants: int
    ) -> None:
        self.kernel, self.operands, self.result, self.constants = kernel, operands, result, constants

    @property
    def title(self) -> str:
        """Its class."""
        return type(self.kernel).__name__

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        self.kernel.emit(p, self)


@dataclass(frozen=True)
class OwnProblem(ElementwiseProblem[OwnOperator]):
    """A kernel on rows: operands and result have batch * seq rows of features each.

    Class attributes:
        operands: names of the operands.
        rounding_count: roundings to bf16 that an element of the result has behind it, one after the other;
            the verdict allows so many.

    Attributes:
        features: of a row.
        batch, seq: there are batch * seq rows.
    """

    operands: ClassVar[tuple[str, ...]] = ("x",)
    rounding_count: ClassVar[float] = 1.0

    @abstractmethod
    def golden(self, *operands: F64) -> F64:
        """The result in float64; operands and result are batch x seq x features."""

    @abstractmethod
    def emit(self, p: Program, op: OwnOperator) -> None:
        """Write the instructions: `op.operands` and `op.result` lie in VRAM, `op.constants` in FP_MEM."""

    def constants(self) -> tuple[float, ...]:
        """Numbers that the host puts into FP_MEM before the run."""
        return ()

    def tolerance(self, hw: Hardware) -> Tolerance:
        """So many roundings."""
        return counted(relative_error(self.rounding_count), FLUSHED_OF_SUM)

    def roundings(self, case: Case) -> ResultRounding:
        """The rounding of the result alone, which tells how close wrong results may come."""
        golden = as_heads(self.golden(*self.values(case)))
        return ResultRounding({"result": "the result"}, golden)

    def place(self, case: Case, room: Room) -> Placed[OwnOperator]:
        """Operands, result and constants."""
        *operands, result = self.packed(room, *self.operands, "result")
        words = room.fp_mem.take("constants", max(len(self.constants()), 1))
        tensors = tuple(one.parent for one in operands)
        return Placed.as_head(OwnOperator(self, tensors, result.parent, words), result)

    def stage(self, case: Case, placed: Placed[OwnOperator], images: MemoryImages) -> Answer:
        """Operands in VRAM, constants in FP_MEM."""
        operator = placed.operator
        self.stage_operands(case, operator.operands, images)
        for number, value in enumerate(self.constants()):
            images.fpmem[operator.constants + number] = bf16_from_float(value)
        return Answer(self.roundings(case).exact)


def load(text: str) -> type[OwnProblem]:
    """Make the kernel of a file known under the name by which the file was given.

    Raises:
        KernelFileError: there is no such file, it cannot be run, or it has not just one kernel.
    """
    path = Path(text)
    spec = importlib.util.spec_from_file_location(f"kernel_file_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise KernelFileError(f"KERNEL={text}: no such file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        where = f"{_where(path, error)}{type(error).__name__}"
        raise KernelFileError(f"KERNEL={text}: {where}: {error}") from None
    found = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, OwnProblem) and one.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise KernelFileError(f"KERNEL={text}: {len(found)} classes are derived from OwnProblem; one must be")
    (family,) = found
    missing = sorted(family.__abstractmethods__)
    if missing:
        raise KernelFileError(f"KERNEL={text}: {family.__name__} has no {' and no '.join(missing)}")
    family.kernels = {text: OwnOperator}
    families.KERNELS[text] = family
    overrides.add_family(family)
    return family


def _where(path: Path, error: Exception) -> str:
    """The line of the file that an error comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    return "" if line is None else f"line {line}: "
