"""What a host must have before it gets work, and what the sweep wants to know of it."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from plena_ref.machine.hardware import Hardware
from tb.bench import harness
from tb.engine import simulate
from tb.engine.tools import NotBuilt
from tb.sweep import litter
from tb.sweep.matrix import Matrix
from tb.sweep.messages import Answer

#: Free bytes that a model and the files of a simulation need.
DISK_BYTES = 1 << 30
#: Bytes of memory that g++ needs for the largest model.
MEMORY_BYTES = 1 << 30


def host(matrix: Matrix) -> Answer:
    """What this host is, or {"refused": why it cannot run units}.

    Returns:
        kind: names the simulator, its compiler and processor: models serve hosts of one kind.
        cache: names the folder of models: hosts that share it say the same.
        holds: names of the machines, as "mlen/blen", whose models are in it.
    """
    try:
        kind = simulate.find_tool("verilator").version
        simulate.BUILD.mkdir(parents=True, exist_ok=True)
        problem = _disk(simulate.BUILD) or _memory(Path("/proc/meminfo").read_text())
        if problem:
            return {"refused": problem}
        cache = _cache_name(simulate.BUILD / "models")
    except (simulate.SimulatorMissing, OSError) as error:
        return {"refused": str(error)}
    machines = {cell.machine: cell.case.hardware for cell in matrix.cells}
    holds = [f"{mlen}/{blen}" for (mlen, blen), hardware in machines.items() if _is_built(hardware)]
    return {"kind": kind, "cache": cache, "holds": holds}


def _is_built(hardware: Hardware) -> bool:
    try:
        harness.build(hardware, "verilator", compile=False)
    except NotBuilt:
        return False
    return True


def _disk(folder: Path) -> str | None:
    probe = folder / f"{litter.prefix()}probe"
    try:
        probe.write_text("probe")
        probe.unlink()
    except OSError as error:
        return f"{folder} cannot be written: {error.strerror}"
    free = shutil.disk_usage(folder).free
    return (
        None if free >= DISK_BYTES else f"{folder} has {free >> 20} MiB free, {DISK_BYTES >> 20} are needed"
    )


def _memory(text: str) -> str | None:
    """`text` is /proc/meminfo."""
    values = {name: value for name, _, value in (line.partition(":") for line in text.splitlines())}
    free = int(values["MemAvailable"].split()[0]) << 10
    if free >= MEMORY_BYTES:
        return None
    return f"{free >> 20} MiB of memory are free, {MEMORY_BYTES >> 20} are needed"


def _cache_name(models: Path) -> str:
    """A name that the first user of a folder of models gave it."""
    models.mkdir(parents=True, exist_ok=True)
    file = models / "cache-name"
    try:
        with file.open("x") as new:
            new.write(uuid.uuid4().hex)
    except FileExistsError:
        pass
    return file.read_text()
