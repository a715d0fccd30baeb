"""Run a machine-code file as one types it: ``PROGRAM=p.mem OUT=dir [HBM=.. MLEN=.. SIM=..]``; ``make run``.

Exits 0 on a normal stop, 1 on a trap or a violation of the bus protocol, 2 when the program could not run.
docs/bench.md lists the options.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from plena_ref.isa.disassembler import disassemble
from plena_ref.isa.machine_code import read_program
from plena_ref.machine import image_files as images
from plena_ref.machine.hardware import Hardware
from tb.bench import (
    case_runner,
    command,
    keys,
    options,
    output_folder,
    program_options,
    program_runner,
    unwritten,
    waves,
)
from tb.bench.program_options import ProgramOptions
from tb.bench.program_runner import ProgramOutcome
from tb.engine import simulate

_SIMULATION = "simulation"


@dataclass(frozen=True)
class Request:
    """A command line that was understood; the attributes are named after their keys."""

    program: Path
    out: Path
    how: ProgramOptions
    hardware: Hardware
    image_files: dict[str, Path]


def _parse(arguments: list[str]) -> Request:
    """Read a command line.

    Raises:
        UsageError: it cannot be understood.
        HardwareError: there is no such machine.
    """
    given = keys.given("run", arguments)
    for needed in ("PROGRAM", "OUT"):
        if needed not in given:
            raise options.UsageError(f"{needed}= is missing")
    request = Request(
        Path(given.pop("PROGRAM")),
        Path(given.pop("OUT")),
        program_options.take(given),
        Hardware.of(options.take_hardware(given)),
        {
            memory: Path(given.pop(key))
            for key, memory in program_runner.IMAGE_OPTIONS.items()
            if key in given
        },
    )
    if request.how.unwritten and request.how.run.sim != options.REFERENCE:
        raise options.UsageError("UNWRITTEN= is for SIM=reference")
    return request


def main(arguments: list[str]) -> int:
    """Run the program that the arguments describe and return the exit status."""
    return command.attempted(_main, arguments)


def _main(arguments: list[str]) -> int:
    request = _parse(arguments)
    words = read_program(request.program)
    run = request.how.run
    if run.sim != options.REFERENCE:
        simulate.find_tool(run.sim)
    salvage = _SIMULATION if run.waves else None
    with output_folder.staged(request.out, images.FILES, salvage) as folder:
        outcome = _run(request, words, folder)
        astray = _unwritten(request, words) if request.how.unwritten else None
        images.write(folder, outcome.images, outcome.hbm_bytes)
        (folder / images.STATS).write_text(json.dumps(outcome.to_json(), indent=2) + "\n")
        if run.waves:
            waves.write_save_file(folder / _SIMULATION)
    _report(outcome, words, request.out)
    if astray is not None:
        print(astray)
    return 0 if outcome.status == "stopped" and not outcome.axi_violations else 1


def _run(request: Request, words: Sequence[int], folder: Path) -> ProgramOutcome:
    """Run the program; errors as in :func:`tb.bench.program_runner.run_program`."""
    place = folder / _SIMULATION if request.how.run.waves else None
    return program_runner.run_program(request.hardware, words, request.image_files, request.how, place)


def _unwritten(request: Request, words: Sequence[int]) -> str:
    """The first read of a word that nobody wrote and that reaches VRAM or HBM, in words."""
    found = program_runner.unwritten_read(request.hardware, words, request.image_files)
    where = None if found is None else f"pc {found.pc}: {disassemble(words[found.pc])}"
    return unwritten.describe(request.hardware, found, where, "what the program leaves in VRAM and HBM")


def _report(outcome: ProgramOutcome, words: Sequence[int], out: Path) -> None:
    """Print how the program ended."""
    cycles = "" if outcome.cycles is None else f", {outcome.cycles} cycles"
    if outcome.status == "trap":
        print(case_runner.describe_trap(words, outcome.cause, outcome.pc))
        if outcome.undrained:
            print("the machine did not drain: the memories it leaves are undefined")
    elif outcome.status != "stopped":
        print(f"{outcome.status}: no stop, the bench gave up")
    else:
        print(f"stopped at pc {outcome.pc}")
    if outcome.axi_violations:
        print(f"{outcome.axi_violations} violations of the AXI protocol")
    print(f"{outcome.instructions} instructions{cycles}; images and stats.json in {out}")


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
