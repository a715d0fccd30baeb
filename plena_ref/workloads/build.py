"""How a case becomes a program with its memory images and its golden."""

from __future__ import annotations

from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.program import Program, ProgramError
from plena_ref.machine.rules import RuleError
from plena_ref.machine.state import MemoryImages
from plena_ref.workloads.base import CaseError, Placed, Workload
from plena_ref.workloads.case import Case
from plena_ref.workloads.placement import HBM_START, comparison_of

#: The end of HBM data is rounded up to this many bytes, one AXI beat, before it becomes the limit.
LIMIT_ALIGNMENT = 64


def place(case: Case) -> tuple[Placed, int]:
    """Give the tensors of a case their places; also returns the first HBM byte behind them.

    Raises:
        CaseError: the case does not fit its machine, or its kernel does not do its shape.
    """
    room = Room(case.hardware, HBM_START)
    try:
        placed = case.problem.place(case, room)
    except RuleError as error:
        raise CaseError(f"{case.name}: {error}") from None
    return placed, room.hbm.next_free


def build(case: Case) -> Workload:
    """Place, quantise and stage the tensors of a case, write its program and compute its golden.

    Raises:
        CaseError: the case does not fit its machine, or its kernel does not do its shape.
    """
    placed, hbm_end = place(case)
    program = Program(case.hardware, placed.operator.title)
    try:
        placed.operator.emit(program)
    except ProgramError as error:
        raise CaseError(f"{case.name}: {error}") from None
    words, listing = program.finish()
    images = MemoryImages.poisoned(case.hardware)
    answer = case.problem.stage(case, placed, images)
    return Workload(
        case=case,
        words=words,
        listing=listing,
        images=images,
        limit=round_up(hbm_end, LIMIT_ALIGNMENT),
        outputs=placed.operator.outputs(),
        scratch=placed.operator.scratch(),
        comparison=comparison_of(placed.result),
        golden=answer.golden,
        interval=answer.interval,
        head_cols=placed.head_cols,
        integers=answer.integers,
        predicted=answer.deviation,
        stages=case.problem.stages(case, placed, program.marks),
    )
