"""The files that a job exchanges with ``tb/bench/plena_tb.sv``; docs/bench.md describes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import csr
from plena_ref.isa.counters import Counters
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine import image_files as images
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.state import A_REGISTERS, F_REGISTERS, GP_REGISTERS, MemoryImages, Registers
from tb.bench import word_order
from tb.bench.job import CHANNELS, OBSERVED, Job, JobResult, Stall
from tb.engine.tools import SimulationError

#: Storage of the memory model behind the HBM data, for programs.
PROGRAM_BYTES = 4 << 20
#: Byte offsets of all control registers.
_OFFSETS = [register.address(index) for register in csr.REGISTERS.values() for index in range(register.count)]
_BEAT = 64


def write_job(path: Path, hw: Hardware, job: Job, fill: int) -> None:
    """Write everything that the bench reads when it starts a job.

    Args:
        path: an empty folder.
        hw: machine shape.
        job: what to run.
        fill: the byte that HBM is relative to.

    Raises:
        ValueError: limit or program lie outside of the memory.
    """
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
        if not job.keep_hbm:
            job.images.check(hw)
        image_words = _write_memories(path, hw, job.images, fill, job.keep_hbm)
        program_words = program.size // 8
        word_order.hbm_words(program, fill).tofile(path / "program.in")
    error_low, error_high = job.error_range or (0, 0)
    flags = job.reset | (job.images is not None) << 1 | (job.resume_pc is not None) << 2 | job.trace << 3
    flags |= job.abort_first << 4 | job.keep_hbm << 5 | job.activity << 6
    stall = job.stall or Stall("ar", 0)
    channel = 0 if job.stall is None else 1 + CHANNELS.index(stall.channel)
    # In the order of read_settings in plena_tb.sv.
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
        job.drain_limit,
        job.abort_at,
        channel | stall.lose << 3,
        stall.after,
        job.beats.denominator << 8 | job.beats.numerator,
    ]
    (path / "offsets").write_text("".join(f"{offset:x}\n" for offset in _OFFSETS))
    (path / "settings").write_text("".join(f"{value:x}\n" for value in settings))


def _write_memories(path: Path, hw: Hardware, memories: MemoryImages, fill: int, keep_hbm: bool) -> int:
    """Write the memories before the run; return the 64-bit words of HBM that differ from the fill."""
    word_order.vram_words(hw, memories.vram).tofile(path / "vram.in")
    word_order.msram_words(hw, memories.msram).tofile(path / "msram.in")
    word_order.fpmem_words(hw, memories.fpmem).tofile(path / "fpmem.in")
    word_order.intmem_words(memories.intmem).tofile(path / "intmem.in")
    if keep_hbm:
        return 0
    words = -(-images.used_bytes(memories) // 8)
    word_order.hbm_words(memories.hbm[: words * 8], fill).tofile(path / "hbm.in")
    return words


def read_job(path: Path, hw: Hardware, job: Job, fill: int, seconds: float) -> JobResult:
    """Read everything that the bench wrote when a job was done; ``seconds`` is the job's time.

    Raises:
        SimulationError: a register has unknown bits, or the machine wrote past the end of HBM.
    """
    lines = (path / "registers").read_text().split()
    unknown = [number for number, line in enumerate(lines) if "x" in line]
    if unknown:
        raise SimulationError(f"{path}/registers: unknown bits in lines {unknown}")
    words = [int(line, 16) for line in lines]
    hang, low_water, high_water, protocol_errors, read_beats, write_beats, *values = words
    observed, values = values[: len(OBSERVED)], values[len(OBSERVED) :]
    if len(values) != len(_OFFSETS):
        raise SimulationError(f"{path}/registers: {len(values)} words, expected {len(_OFFSETS)}")
    control = dict(zip(_OFFSETS, values, strict=True))
    status = _status(control, bool(hang))
    cause = _value(control, "CAUSE")
    return JobResult(
        status=status,
        cause=TrapCause(cause).name if status == "trap" else None,
        pc=_value(control, "PC"),
        cycles=_wide(control, "CYCLES"),
        instructions=_wide(control, "INSTRUCTIONS"),
        counters=Counters.read(lambda offset: control[offset] | control[offset + 4] << 32),
        bus_beats=(read_beats, write_beats),
        observed=dict(zip(OBSERVED, observed, strict=True)),
        registers=_registers(control),
        images=_read_memories(path, hw, fill, job.keep_hbm),
        hbm_high_water=high_water - 1,
        control=control,
        trace=np.fromfile(path / "trace.out", "<u4").reshape(-1, 3) if job.trace else None,
        activity=np.fromfile(path / "activity.out", "<u4").reshape(-1, 6) if job.activity else None,
        protocol_errors=protocol_errors,
        seconds=seconds,
        undrained=bool(_field(control, "STATUS", "UNDRAINED")),
        hbm_written=_read_written(path, low_water, high_water, fill) if job.keep_hbm else None,
    )


def _status(control: dict[int, int], hang: bool) -> str:
    """How a job ended, from STATUS and from whether the bench gave up; see :class:`JobResult`."""
    if _field(control, "STATUS", "REFUSED"):
        return "refused"
    if _field(control, "STATUS", "ABORTED"):
        return "aborted"
    if hang:
        return "hang"
    return "trap" if _field(control, "STATUS", "TRAPPED") else "stopped"


def _read_written(path: Path, low: int, high: int, fill: int) -> tuple[int, NDArray[np.uint8]]:
    """Bytes low..high-1 of HBM, which come in whole words, and where they begin."""
    if not high:
        return 0, np.empty(0, np.uint8)
    words = np.fromfile(path / "hbm.out", np.uint8) ^ np.uint8(fill)
    return low, words[low % 8 : low % 8 + high - low]


def _read_memories(path: Path, hw: Hardware, fill: int, keep_hbm: bool) -> MemoryImages:
    """The memories after the run."""
    hbm = np.empty(0, np.uint8)
    if not keep_hbm:
        hbm = word_order.hbm_image(hw, np.fromfile(path / "hbm.out", np.uint8), fill)
    return MemoryImages(
        vram=word_order.vram_image(hw, np.fromfile(path / "vram.out", "<u2")),
        msram=word_order.msram_image(hw, np.fromfile(path / "msram.out", "<u2")),
        fpmem=word_order.fpmem_image(hw, np.fromfile(path / "fpmem.out", "<u2")),
        intmem=word_order.intmem_image(np.fromfile(path / "intmem.out", "<u4")),
        hbm=hbm,
    )


def _program_bytes(words: Sequence[int]) -> NDArray[np.uint8]:
    """Program words as bytes, padded with zero words (illegal instructions) to whole beats."""
    padded = np.zeros(-(-max(len(words), 1) // 16) * 16, "<u4")
    padded[: len(words)] = words
    return padded.view(np.uint8)


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
