"""Run cases on the reference machine: right, and nothing written but what the operator declares."""

from __future__ import annotations

from collections import Counter

from plena_ref.isa.assembler import assemble
from plena_ref.isa.instructions import BY_OPCODE, IMM22
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.machine.reference.step import Step
from plena_ref.machine.regions import region_mask
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.compare import compare
from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case


def hardware(mlen: int, blen: int, **values: int) -> Hardware:
    """A machine with memories small enough to be copied often."""
    sizes = {"vram_elems": 1 << 18, "hbm_bytes": 1 << 20, **values}
    return Hardware(mlen, blen, **sizes)


def run(workload: Workload, images: MemoryImages | None = None) -> Machine:
    """Run the program on the reference machine until its normal stop."""
    case = workload.case
    machine = Machine(case.hardware, images or workload.images.copy(), workload.limit)
    report = machine.run(workload.words)
    assert (report.status, report.cause) == ("stopped", None)
    return machine


def check(case: Case) -> Machine:
    """Build and run a case; accurate, and nothing written but what the kernel declares."""
    workload = build(case)
    assert assemble(workload.listing) == workload.words
    machine = run(workload)
    verdict = compare(workload, machine.images, machine.images, machine.registers, machine.registers)
    assert verdict.passed, verdict.reasons
    for memory in ("vram", "msram", "fpmem", "intmem", "hbm"):
        written = getattr(machine.written, memory)
        declared = region_mask([*workload.outputs, *workload.scratch], memory, len(written))
        assert not (written & ~declared).any(), memory
        wanted = region_mask(workload.outputs, memory, len(written))
        assert (written | ~wanted).all(), f"{memory}: part of the result is never written"
    return machine


def rejected(case: Case) -> str:
    """Why the verdict refuses the result of a program with a mistake.

    Raises:
        AssertionError: it does not refuse it.
    """
    workload = build(case)
    machine = run(workload)
    verdict = compare(workload, machine.images, machine.images, machine.registers, machine.registers)
    assert not verdict.passed
    return " ".join(verdict.reasons)


def executed(words: list[int]) -> Counter[str]:
    """How often each instruction is executed: every loop of a kernel runs as often as its start says."""
    counts: Counter[str] = Counter()
    trips = [1]
    for word in words:
        name = BY_OPCODE[word & 0x3F].mnemonic
        counts[name] += trips[-1]
        if name == "C_LOOP_START":
            trips.append(trips[-1] * IMM22.get(word))
        elif name == "C_LOOP_END":
            trips.pop()
    return counts


def completed(workload: Workload) -> Counter[str]:
    """How often the reference machine completes each instruction of a program, however its loops end."""
    counts: Counter[str] = Counter()

    def watch(pc: int, step: Step) -> Step:
        name = BY_OPCODE[workload.words[pc] & 0x3F].mnemonic

        def counted() -> int | None:
            counts[name] += 1
            return step()

        return counted

    Machine(workload.case.hardware, workload.images.copy(), workload.limit).run(workload.words, watch=watch)
    return counts
