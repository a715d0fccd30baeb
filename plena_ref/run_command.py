"""`plena run`: a machine-code file on the reference machine, with raw memory images before and after."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from plena_ref.isa.disassembler import disassemble
from plena_ref.isa.machine_code import read_program
from plena_ref.machine import image_files
from plena_ref.machine.hardware import Hardware, HardwareError
from plena_ref.machine.reference import Machine, StopReport
from plena_ref.machine.state import MemoryImages

_FIELDS = {field.name.upper(): field for field in dataclasses.fields(Hardware)}


def hardware(given: Sequence[str]) -> Hardware:
    """The machine of KEY=VALUE words such as MLEN=16.

    Raises:
        HardwareError: a word is no field of a machine, or there is no such machine.
    """
    values: dict[str, int | str] = {}
    for word in given:
        key, _, value = word.partition("=")
        try:
            one = _FIELDS[key.upper()]
            values[one.name] = value if isinstance(one.default, str) else int(value, 0)
        except (KeyError, ValueError):
            known = ", ".join(_FIELDS)
            raise HardwareError(f"'{word}' is not KEY=VALUE with a key of {known}") from None
    return Hardware.of(values)


def run(
    program: Path,
    images: Mapping[str, Path],
    out: Path,
    hw: Hardware,
    max_instructions: int | None = None,
) -> int:
    """Run a program and leave its memories and ``stats.json``; returns 0 for a normal stop, 1 for a trap.

    Args:
        program: machine-code file.
        images: files by memory name; the rest of a memory is zero.
        out: folder for what is left.
        hw: the machine.
        max_instructions: after which to give up.

    Raises:
        MachineCodeError, ImageError: a file is odd, or does not fit.
        InstructionLimitError: the program did not stop.
        OSError: a file cannot be read or written.
    """
    words = read_program(program)
    memories = MemoryImages.zeros(hw)
    sizes = {memory: image_files.read_into(memories, memory, path) for memory, path in images.items()}
    _check_folder(out)
    machine = Machine(hw, memories)
    report = machine.run(words, max_instructions=max_instructions)
    used = max(sizes.get("hbm", 0), machine.hbm_high_water + 1)
    out.mkdir(parents=True, exist_ok=True)
    # Whole results or none: all files are written before the first gets its name.
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=out) as name:
        folder = Path(name)
        image_files.write(folder, machine.images, used)
        (folder / image_files.STATS).write_text(json.dumps(_stats(report), indent=2) + "\n", encoding="utf-8")
        for file in folder.iterdir():
            file.replace(out / file.name)
    if report.status == "stopped":
        print(f"stopped at pc {report.pc}")
    else:
        where = disassemble(words[report.pc]) if report.pc < len(words) else "end of the program"
        print(f"{report.status} {report.cause} at pc {report.pc}: {where}")
    print(f"{report.instructions} instructions; images and {image_files.STATS} in {out}")
    return 0 if report.status == "stopped" else 1


def _check_folder(out: Path) -> None:
    """Refuse, before the work, a folder in which no results can be left.

    Raises:
        OSError: it is no folder and cannot be made, cannot be written, or has a folder where a file is to be.
    """
    there = next(place for place in (out.absolute(), *out.absolute().parents) if place.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))
    for name in image_files.FILES:
        if (out / name).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(out / name))


def _stats(report: StopReport) -> dict[str, object]:
    """The contents of ``stats.json`` (docs/result.md); what only the RTL has is null."""
    return {
        "schema": image_files.STATS_SCHEMA,
        "status": report.status,
        "cause": report.cause,
        "undrained": False,
        "pc": report.pc,
        "cycles": None,
        "instructions": report.instructions,
        "axi_violations": None,
        "counters": None,
        "registers": dataclasses.asdict(report.registers),
    }
