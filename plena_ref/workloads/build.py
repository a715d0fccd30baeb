"""How a case becomes a program with its memory images and its golden."""

from __future__ import annotations

from collections.abc import Sequence

from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.operator import Operator
from plena_ref.kernels.program import Program, ProgramError
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region
from plena_ref.machine.rules import RuleError
from plena_ref.machine.state import MemoryImages
from plena_ref.machine.tensors import NamedTensor, plain
from plena_ref.workloads.base import CaseError, Placed, Workload
from plena_ref.workloads.case import Case
from plena_ref.workloads.placement import HBM_START, comparison_of

#: The end of HBM data is rounded up to this many bytes, one AXI beat, before it becomes the limit.
LIMIT_ALIGNMENT = 64


def place(case: Case) -> tuple[Placed[Operator], Room]:
    """Give the tensors of a case their places; also returns the room that they were taken from.

    Raises:
        CaseError: the case does not fit its machine, or its kernel does not do its shape.
    """
    room = Room(case.hardware, HBM_START)
    try:
        placed = case.problem.place(case, room)
    except RuleError as error:
        raise CaseError(f"{case.name}: {error}") from None
    return placed, room


def _tensors(hw: Hardware, room: Room, regions: Sequence[Region]) -> tuple[NamedTensor, ...]:
    """What lies where: all that was placed, and what else the program writes, in MSRAM for example."""
    known = {(tensor.memory, tensor.base) for tensor in room.placed}
    more = [
        plain(region.name, region.memory, region.start, size // cols, cols)
        for region in regions
        if (region.memory, region.start) not in known
        for size in [region.stop - region.start]
        for cols in [hw.mlen if size % hw.mlen == 0 else size]
    ]
    return (*room.placed, *more)


def build(case: Case) -> Workload:
    """Place, quantise and stage the tensors of a case, write its program and compute its golden.

    Raises:
        CaseError: the case does not fit its machine, or its kernel does not do its shape.
    """
    placed, room = place(case)
    program = Program(case.hardware, placed.operator.title)
    try:
        placed.operator.emit(program)
    except ProgramError as error:
        raise CaseError(f"{case.name}: {error}") from None
    words, listing = program.finish()
    images = MemoryImages.poisoned(case.hardware)
    answer = case.problem.stage(case, placed, images)
    outputs, scratch = placed.operator.outputs(), placed.operator.scratch()
    return Workload(
        case=case,
        words=words,
        listing=listing,
        images=images,
        limit=round_up(room.hbm.next_free, LIMIT_ALIGNMENT),
        outputs=outputs,
        scratch=scratch,
        comparison=comparison_of(placed.result),
        golden=answer.golden,
        interval=answer.interval,
        head_cols=placed.head_cols,
        integers=answer.integers,
        predicted=answer.deviation,
        stages=case.problem.stages(case, placed, program.marks),
        tensors=_tensors(case.hardware, room, scratch),
        sources=program.sources,
    )
