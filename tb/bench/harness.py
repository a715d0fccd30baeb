"""Run programs on the RTL: stage memory images, simulate, read everything back.

Each :class:`Job` is one program on one set of images; one simulation runs any number of them in a row. The
files that a job exchanges with ``tb/bench/plena_tb.sv`` are described in docs/bench.md.
"""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import csr
from plena_ref.isa.counters import Counters
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.state import A_REGISTERS, F_REGISTERS, GP_REGISTERS, MemoryImages, Registers
from tb.bench import images, job_runner
from tb.engine import simulate

#: Storage of the memory model behind the HBM data, for programs.
PROGRAM_BYTES = 4 << 20
DEFAULT_LATENCY = 100
_BENCH_SOURCES = ["tb/bench/axi_checker.sv", "tb/bench/axi_memory.sv", "tb/bench/plena_tb.sv"]
_PUBLIC_SIGNALS = [f"plena_tb.{name}" for name in ("job", "go", "running", "done")]
#: Byte offsets of all control registers.
_OFFSETS = [
    register.address(index) for register in csr.REGISTERS.values() for index in range(register.count)
]
_BEAT = 64


@dataclass(frozen=True)
class Job:
    """One program run.

    Attributes:
        words: machine code, one 32-bit word an instruction.
        images: memories before the run; None keeps what the previous job left in the machine.
        limit: HBM limit register in bytes; None means all of HBM.
        latency: cycles from a memory request to its answer.
        jitter: chance in 256 that a memory channel pauses in a cycle.
        seed: seed of those pauses. It takes effect with ``reset``.
        error_range: HBM byte range [low, high) whose accesses answer with a bus error.
        watchdog: cycles after which the machine itself stops; 0 for never.
        reset: reset the machine before the run.
        resume_pc: continue there with CTRL.RESUME instead of starting at pc 0.
        program_base: HBM byte address of the program; None means just above HBM's data.
        length: value of the length register; None means ``len(words)``.
        trace: record the retired instructions.
        timeout: cycles after which the bench gives up (status "hang").
    """

    words: Sequence[int]
    images: MemoryImages | None
    limit: int | None = None
    latency: int = DEFAULT_LATENCY
    jitter: int = 0
    seed: int = 1
    error_range: tuple[int, int] | None = None
    watchdog: int = 0
    reset: bool = True
    resume_pc: int | None = None
    program_base: int | None = None
    length: int | None = None
    trace: bool = False
    timeout: int = 100_000_000


@dataclass(frozen=True)
class JobResult:
    """What a program left behind.

    Attributes:
        status: "stopped", "trap", or "hang" when the bench gave up.
        cause: name of the trap, or None.
        pc: pc of the stop or of the trap's culprit.
        cycles: cycles from start to stop, drain included.
        instructions: completed instructions.
        counters: performance counters.
        bus_beats: data beats read from and written to HBM, as counted on the bus by the bench.
        registers: architectural registers.
        images: all memories, whole.
        hbm_high_water: highest HBM byte address written since reset, or -1.
        control: every control register word by byte offset.
        trace: retired instructions as uint32[n, 3] of (pc, word, cycle), or None when not asked for.
        protocol_errors: violations that the AXI checker counted.
        seconds: wall-clock time from start to stop.
    """

    status: str
    cause: str | None
    pc: int
    cycles: int
    instructions: int
    counters: Counters
    bus_beats: tuple[int, int]
    registers: Registers
    images: MemoryImages
    hbm_high_water: int
    control: dict[int, int]
    trace: NDArray[np.uint32] | None
    protocol_errors: int
    seconds: float


@dataclass(frozen=True)
class RunResult:
    """A simulation: its jobs' results, build time (0.0 from the cache) and wall-clock time of the process."""

    jobs: list[JobResult]
    build_seconds: float
    run_seconds: float
    wave_file: Path | None


# cocotb lets pytest rewrite the assert statements of every module, which compiles them anew in each run; the
# job runner has none.
_NO_REWRITING = {"COCOTB_REWRITE_ASSERTION_FILES": ""}


def build(
    hw: Hardware,
    simulator: str | None = None,
    waves: bool = False,
    root: Path = simulate.REPO,
    extra: Sequence[str] = (),
    public: Sequence[str] = (),
) -> simulate.Model:
    """Return the compiled system bench for one machine shape; arguments as in :func:`run`.

    ``extra`` are more command-line options for the compiler, ``public`` more signals within reach of Python.
    """
    parameters = {**hw.rtl_parameters(), "MEMORY_BYTES": hw.hbm_bytes + PROGRAM_BYTES}
    return simulate.build(
        "plena_tb",
        simulate.rtl_sources(root) + _BENCH_SOURCES,
        parameters=parameters,
        simulator=simulator,
        defines={"PLENA_WAVES": 1} if waves else None,
        public=[*_PUBLIC_SIGNALS, *public],
        timing=True,
        waves=waves,
        extra=extra,
        root=root,
    )


def run(
    hw: Hardware,
    jobs: Sequence[Job],
    simulator: str | None = None,
    waves: bool = False,
    folder: Path | None = None,
    root: Path = simulate.REPO,
) -> RunResult:
    """Run jobs one after another in one simulation.

    Args:
        hw: machine shape.
        jobs: programs; the first must bring its images.
        simulator: "verilator" or "icarus"; None takes the environment variable SIM, or Verilator.
        waves: write ``dump.fst`` into ``folder``.
        folder: where the run's files lie; None makes a folder that is removed afterwards.
        root: source tree (a mutated copy, for instance).

    Raises:
        SimulatorMissing, SimulationError: see tb/engine/simulate.py.
        ValueError: a job does not fit the machine.
    """
    if not jobs or jobs[0].images is None:
        raise ValueError("the first job must bring its memory images")
    model = build(hw, simulator, waves, root)
    if folder is not None:
        return run_model(folder, hw, jobs, model)
    parent = simulate.BUILD / "runs"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="harness-", dir=parent))
    try:
        return run_model(folder, hw, jobs, model)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_model(folder: Path, hw: Hardware, jobs: Sequence[Job], model: simulate.Model) -> RunResult:
    """Run jobs on a model that :func:`build` returned, in a folder that stays."""
    fill = 0
    for number, job in enumerate(jobs):
        path = folder / f"job{number}"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        if job.images is not None:
            fill = int(job.images.hbm[-1])
        _write_job(path, hw, job, fill)
    run_seconds = simulate.run(
        model,
        "tb.bench.job_runner",
        folder=folder,
        environment={job_runner.JOBS_VARIABLE: str(len(jobs)), **_NO_REWRITING},
        plusargs=["+waves=1"] if model.waves else [],
    )
    seconds = json.loads((folder / job_runner.SECONDS_FILE).read_text())
    results: list[JobResult] = []
    for number, job in enumerate(jobs):
        if job.images is not None:
            fill = int(job.images.hbm[-1])
        results.append(_read_job(folder / f"job{number}", hw, job, fill, seconds[number]))
        shutil.rmtree(folder / f"job{number}")
    wave_file = folder / "dump.fst" if model.waves else None
    return RunResult(results, model.build_seconds, run_seconds, wave_file)


# Files of a job


def _write_job(path: Path, hw: Hardware, job: Job, fill: int) -> None:
    base = hw.hbm_bytes if job.program_base is None else job.program_base
    program = _program_bytes(job.words)
    limit = hw.hbm_bytes if job.limit is None else job.limit
    if not 0 <= limit <= hw.hbm_bytes:
        raise ValueError(f"limit {limit} lies outside HBM (0..{hw.hbm_bytes})")
    place = base & ~(_BEAT - 1)
    if place + program.size > hw.hbm_bytes + PROGRAM_BYTES:
        raise ValueError(f"a program of {len(job.words)} words does not fit behind HBM byte {base}")
    image_words = program_words = 0
    if job.images is not None:
        job.images.check(hw)
        extent = images.used_bytes(job.images)
        image_words = -(-extent // 8)
        _vram_words(hw, job.images.vram).tofile(path / "vram.in")
        _msram_words(hw, job.images.msram).tofile(path / "msram.in")
        _fpmem_words(hw, job.images.fpmem).tofile(path / "fpmem.in")
        job.images.intmem.astype(">u4").tofile(path / "intmem.in")
        _hbm_words(job.images.hbm[: image_words * 8], fill).tofile(path / "hbm.in")
        program_words = program.size // 8
        _hbm_words(program, fill).tofile(path / "program.in")
    error_low, error_high = job.error_range or (0, 0)
    flags = job.reset | (job.images is not None) << 1 | (job.resume_pc is not None) << 2 | job.trace << 3
    settings = [
        flags,
        base,
        len(job.words) if job.length is None else job.length,
        limit,
        job.watchdog,
        job.resume_pc or 0,
        job.timeout,
        image_words,
        place,
        program_words,
        job.latency,
        job.jitter,
        job.seed,
        fill,
        error_low,
        error_high,
    ]
    (path / "offsets").write_text("".join(f"{offset:x}\n" for offset in _OFFSETS))
    (path / "settings").write_text("".join(f"{value:x}\n" for value in settings))


def _read_job(path: Path, hw: Hardware, job: Job, fill: int, seconds: float) -> JobResult:
    lines = (path / "registers").read_text().split()
    unknown = [number for number, line in enumerate(lines) if "x" in line]
    if unknown:
        raise simulate.SimulationError(f"{path}/registers: unknown bits in lines {unknown}")
    words = [int(line, 16) for line in lines]
    hang, high_water, protocol_errors, read_beats, write_beats, *values = words
    if len(values) != len(_OFFSETS):
        raise simulate.SimulationError(f"{path}/registers: {len(values)} words, expected {len(_OFFSETS)}")
    control = dict(zip(_OFFSETS, values, strict=True))
    status = "trap" if _field(control, "STATUS", "TRAPPED") else "stopped"
    if hang:
        status = "hang"
    cause = _value(control, "CAUSE")
    return JobResult(
        status=status,
        cause=TrapCause(cause).name if status == "trap" else None,
        pc=_value(control, "PC"),
        cycles=_wide(control, "CYCLES"),
        instructions=_wide(control, "INSTRUCTIONS"),
        counters=Counters.read(lambda offset: control[offset] | control[offset + 4] << 32),
        bus_beats=(read_beats, write_beats),
        registers=_registers(control),
        images=MemoryImages(
            vram=_vram_image(hw, np.fromfile(path / "vram.out", "<u2")),
            msram=_msram_image(hw, np.fromfile(path / "msram.out", "<u2")),
            fpmem=_fpmem_image(hw, np.fromfile(path / "fpmem.out", "<u2")),
            intmem=np.fromfile(path / "intmem.out", "<u4").astype(np.uint32),
            hbm=_hbm_image(hw, np.fromfile(path / "hbm.out", np.uint8), fill),
        ),
        hbm_high_water=high_water - 1,
        control=control,
        trace=np.fromfile(path / "trace.out", "<u4").reshape(-1, 3) if job.trace else None,
        protocol_errors=protocol_errors,
        seconds=seconds,
    )


def _program_bytes(words: Sequence[int]) -> NDArray[np.uint8]:
    """Program words as bytes, padded with zero words (illegal instructions) to whole beats."""
    padded = np.zeros(-(-max(len(words), 1) // 16) * 16, "<u4")
    padded[: len(words)] = words
    return padded.view(np.uint8)


# Conversion between images and the RTL's memory arrays. Files to the simulator hold words most significant
# byte first, files from it hold them least significant byte first.


@functools.cache
def _vram_order(hw: Hardware) -> NDArray[np.intp]:
    """VRAM row number of (bank, index), bank-major: bank = row[2:0] ^ row[LM+2:LM]."""
    rows = np.arange(hw.vram_rows)
    bank = (rows ^ (rows >> (hw.mlen.bit_length() - 1))) & 7
    return np.lexsort((rows, bank))


def _vram_words(hw: Hardware, image: NDArray[np.uint16]) -> NDArray:
    return image.reshape(-1, hw.mlen)[_vram_order(hw), ::-1].astype(">u2")


def _vram_image(hw: Hardware, words: NDArray[np.uint16]) -> NDArray[np.uint16]:
    image = np.empty((hw.vram_rows, hw.mlen), np.uint16)
    image[_vram_order(hw)] = words.reshape(-1, hw.mlen)
    return image.reshape(-1)


def _msram_words(hw: Hardware, image: NDArray[np.uint16]) -> NDArray:
    tiles = image.reshape(hw.msram_tiles, hw.mlen, hw.mlen)
    rows = np.arange(hw.mlen)
    banks = tiles[:, rows[None, :], (rows[:, None] - rows[None, :]) % hw.mlen]
    return np.ascontiguousarray(banks.transpose(1, 0, 2)).astype(">u2")


def _msram_image(hw: Hardware, words: NDArray[np.uint16]) -> NDArray[np.uint16]:
    banks = words.reshape(hw.mlen, hw.msram_tiles, hw.mlen)
    rows = np.arange(hw.mlen)
    tiles = banks[(rows[:, None] + rows[None, :]) % hw.mlen, :, rows[:, None]]
    return np.ascontiguousarray(tiles.transpose(2, 0, 1)).reshape(-1).astype(np.uint16)


def _fpmem_words(hw: Hardware, image: NDArray[np.uint16]) -> NDArray:
    rows = image.reshape(-1, hw.mlen)[:, ::-1]
    return np.concatenate([rows[0::2], rows[1::2]]).astype(">u2")


def _fpmem_image(hw: Hardware, words: NDArray[np.uint16]) -> NDArray[np.uint16]:
    banks = words.reshape(2, -1, hw.mlen)
    return np.ascontiguousarray(banks.transpose(1, 0, 2)).reshape(-1).astype(np.uint16)


def _hbm_words(image: NDArray[np.uint8], fill: int) -> NDArray[np.uint8]:
    return (image ^ np.uint8(fill)).reshape(-1, 8)[:, ::-1]


def _hbm_image(hw: Hardware, stored: NDArray[np.uint8], fill: int) -> NDArray[np.uint8]:
    image = np.full(hw.hbm_bytes, fill, np.uint8)
    if stored.size > image.size:
        raise simulate.SimulationError(
            f"the machine wrote HBM at or past byte {hw.hbm_bytes}, the end of HBM"
        )
    image[: stored.size] = stored ^ np.uint8(fill)
    return image


# Control registers


def _value(control: dict[int, int], name: str, index: int = 0) -> int:
    return control[csr.REGISTERS[name].address(index)]


def _field(control: dict[int, int], name: str, field: str) -> int:
    for part in csr.REGISTERS[name].fields:
        if part.name == field:
            return _value(control, name) >> part.lsb & (1 << part.width) - 1
    raise KeyError(f"{name} has no field {field}")


def _wide(control: dict[int, int], name: str, index: int = 0) -> int:
    return _value(control, f"{name}_LO", index) | _value(control, f"{name}_HI", index) << 32


def _registers(control: dict[int, int]) -> Registers:
    return Registers(
        gp=[_value(control, "GP", index) for index in range(GP_REGISTERS)],
        f=[_value(control, "F", index) for index in range(F_REGISTERS)],
        a=[_wide(control, "A", index) for index in range(A_REGISTERS)],
        scale=_value(control, "SCALE"),
        stride=_value(control, "STRIDE"),
        v_mask=_value(control, "V_MASK"),
    )
