"""Run a build directory on the reference machine and on the RTL, and judge what is left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine, StopReport
from plena_ref.machine.state import MemoryImages, Registers, WrittenMaps
from plena_ref.verdict.memory import register_differences, word_name
from plena_ref.verdict.tolerance import STRICT, Tolerance
from tb.bench import unwritten as unwritten_words
from tb.bench.harness import JobResult
from tb.bench.job import FULL_RATE
from tb.bench.options import REFERENCE
from tb.bench.program_options import ProgramOptions
from tb.bench.program_runner import ProgramOutcome
from tb.bench.run_jobs import run_jobs
from tb.peer import comparison, directory, golden, model, settings, shape, stages, verdict
from tb.peer.comparison import Comparison
from tb.peer.golden import Golden
from tb.peer.prepared import Prepared, fitting
from tb.peer.verdict import OurVerdict, PeerVerdict


@dataclass(frozen=True)
class Build:
    """A build directory that was read.

    Attributes:
        folder: where it lies.
        settings: what the tools' settings say.
        program: ready to run.
        comparison: where its result lies, and how the tools judge it.
        golden: what it must come to.
        remarks: what people should know of how it was read.
        tolerance: what our verdict asks for.
    """

    folder: Path
    settings: settings.Settings
    program: Prepared
    comparison: Comparison
    golden: Golden
    remarks: list[str]
    tolerance: Tolerance


@dataclass(frozen=True)
class BuildOutcome:
    """A build directory that has run.

    Attributes:
        build: what ran.
        simulator: where.
        run: how it ended and what it left.
        peer, ours: the two verdicts.
        job: what the RTL left; None on the reference machine.
        build_seconds: time to build the model; 0.0 from the cache.
        unwritten: the first read of a word that nobody wrote, in words; None: nobody asked.
        beats: beats a cycle that the memory moved in each direction, at most.
    """

    build: Build
    simulator: str
    run: ProgramOutcome
    peer: PeerVerdict
    ours: OurVerdict
    job: JobResult | None
    build_seconds: float
    unwritten: str | None
    beats: Fraction = FULL_RATE


def read(
    folder: Path,
    settings_file: Path | None,
    options: dict[str, int | str],
    tolerance: Tolerance = STRICT,
) -> Build:
    """Read a build directory.

    Args:
        folder: the directory.
        settings_file: settings; None looks where the tools look, then into the directory and above it.
        options: fields of Hardware from the command line.
        tolerance: what our verdict asks for.

    Raises:
        PeerError: a file is missing, odd, or does not fit.
        HardwareError: there is no such machine.
    """
    words, preload = directory.read_directory(folder)
    params = comparison.read(folder)
    wanted = golden.read(folder, params.num_batches)
    path = settings.find(settings_file, None, (folder, folder.resolve().parent))
    if path is None:
        chosen = settings.Settings(mlen=params.row_dim)
        remarks = ["no settings file: MLEN is row_dim, the rest as PLENA's tools have it by default"]
    else:
        chosen, remarks = settings.read(path), [f"settings {path}"]
    size = directory.read_hbm_size(folder, preload.hbm.size)
    made = shape.shape(chosen, options, words, preload, size, params.end)
    verdict.check_result(params, wanted, made.hardware)
    text = folder / directory.ASSEMBLY
    found = fitting(stages.read(text), words) if text.exists() else None
    if found is None:
        why = "has another number of instructions" if text.exists() else "is missing"
        remarks.append(f"{directory.ASSEMBLY} {why}: stages have no names")
    program = Prepared(words, preload, made, found)
    return Build(folder, chosen, program, params, wanted, remarks + made.remarks, tolerance)


def run(build: Build, how: ProgramOptions, folder: Path | None) -> BuildOutcome:
    """Run a build and judge it.

    Args:
        build: what to run.
        how: where and how.
        folder: where a run with waves leaves its files; None makes one that is removed.

    Raises:
        PeerError: a file does not fit its memory.
        InstructionLimitError: the reference machine gave up.
        SimulatorMissing, SimulationError: see tb/engine/simulate.py.
    """
    program, hw, options = build.program, build.program.shape.hardware, how.run
    astray = _unwritten_read(build) if how.unwritten else None
    before, staged = program.images(), program.preload.hbm.size
    machine = Machine(hw, before.copy(), program.shape.limit)
    if options.sim == REFERENCE:
        report = machine.run(program.words, max_instructions=how.max_instructions)
        outcome = ProgramOutcome.of_machine(machine, report, staged)
        return _judged(build, REFERENCE, outcome, machine.written, None, None, None, 0.0, astray)
    model.ready(hw, options.sim, options.waves, options.x_seed, print)
    job = how.job(program.words, before, program.shape.limit)
    result = run_jobs(hw, [replace(job, trace=True, program_base=program.program_base)], options, folder)
    got = result.jobs[0]
    outcome = ProgramOutcome.of_job(got, staged)
    differences: tuple[str, ...] = ()
    if got.status in ("stopped", "trap") and got.cause != "WATCHDOG":
        report = machine.run(program.words)
        differences = _differences(hw, got, machine.images, before, report)
    outside = verdict.changed_outside(got.images, before, machine.written)
    judged = _judged(
        build, options.sim, outcome, machine.written, differences, outside, got, result.build_seconds, astray
    )
    return replace(judged, beats=options.beats)


def _unwritten_read(build: Build) -> str:
    """The first read of a word that nobody wrote and that reaches the result, in words."""
    program, params = build.program, build.comparison
    hw = program.shape.hardware
    known = unwritten_words.known_words(
        hw, {name: getattr(program.preload, name).size for name in program.preload.files}
    )
    places = params.places(params.columns(build.golden.values.shape[1]))
    found = unwritten_words.first_unwritten_read(
        hw, program.words, program.images(), known, {"vram": places}, program.shape.limit
    )
    missing = places[~known.vram[places]]
    if found is None and missing.size:
        return f"unwritten: {word_name(hw, 'vram', int(missing.min()))}, of the result: nobody wrote it"
    place = None if found is None else program.place(found.pc)
    return unwritten_words.describe(hw, found, place, "the result")


def _differences(
    hw: Hardware, got: JobResult, reference: MemoryImages, before: MemoryImages, report: StopReport
) -> tuple[str, ...]:
    """Where the RTL differs from the reference machine: end, memories, registers, protocol."""
    found = []
    for name in ("status", "cause", "pc", "instructions"):
        value, wanted = getattr(got, name), getattr(report, name)
        if value != wanted:
            found.append(f"{name}: got {value}, reference {wanted}")
    found += verdict.memory_differences(hw, got.images, reference, before)
    found += register_differences(got.registers, report.registers)
    if got.protocol_errors:
        found.append(f"{got.protocol_errors} violations of the AXI protocol")
    return tuple(found)


def _ending(program: Prepared, status: str, cause: str | None, pc: int, registers: Registers) -> str | None:
    """How a run ended, where that is no normal stop."""
    if status == "stopped":
        return None
    if status == "trap" and cause is not None:
        return program.trap(cause, pc, registers)
    return f"{status} at {program.place(pc)}: the bench gave up"


def _judged(
    build: Build,
    simulator: str,
    outcome: ProgramOutcome,
    written: WrittenMaps,
    differences: tuple[str, ...] | None,
    outside: int | None,
    job: JobResult | None,
    build_seconds: float,
    astray: str | None,
) -> BuildOutcome:
    wanted = verdict.judged_golden(build.golden, build.comparison)
    got = verdict.result_of(outcome.images.vram, build.comparison, wanted.shape[1])
    ended = _ending(build.program, outcome.status, outcome.cause, outcome.pc, outcome.registers)
    peer = verdict.peer_verdict(got, wanted, build.comparison)
    places = build.comparison.places(wanted.shape[1])
    inputs = verdict.inputs_changed(outcome.images, build.program.preload, places)
    ours = verdict.our_verdict(
        got, wanted, build.comparison, written, differences, outside, inputs, ended, build.tolerance
    )
    return BuildOutcome(build, simulator, outcome, peer, ours, job, build_seconds, astray)
