"""Run a machine-code file as one types it: ``PROGRAM=p.mem OUT=dir [HBM=.. MLEN=.. SIM=..]``; ``make run``.

Exits 0 on a normal stop, 1 on a trap, 2 when the program could not run. docs/bench.md lists the options.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from plena_ref.isa.csr import DRAIN_LIMIT_RESET
from plena_ref.isa.machine_code import MachineCodeError, read_program
from plena_ref.machine.hardware import Hardware, HardwareError
from tb.bench import case_runner, images, options, program_runner, waves
from tb.bench.program_runner import ProgramOutcome
from tb.engine import simulate

_RUN_OPTIONS = ("SIM", "LATENCY", "JITTER", "SEED", "WATCHDOG", "DRAIN_LIMIT", "WAVES")
_HARDWARE = {field.name.upper(): field.name for field in fields(Hardware)}


@dataclass(frozen=True)
class Command:
    """A command line that was understood; the attributes are named after their keys."""

    program: Path
    out: Path
    run: options.RunOptions
    seed: int
    watchdog: int
    drain_limit: int
    hardware: Hardware
    image_files: dict[str, Path]


def _parse(arguments: list[str]) -> Command:
    """Read a command line.

    Raises:
        UsageError: it cannot be understood.
        HardwareError: there is no such machine.
    """
    given = options.parse(arguments)
    for needed in ("PROGRAM", "OUT"):
        if needed not in given:
            raise options.UsageError(f"{needed}= is missing")
    command = Command(
        Path(given.pop("PROGRAM")),
        Path(given.pop("OUT")),
        options.take_run_options(given),
        options.take_integer(given, "SEED", 1, 0, 2**32 - 1),
        options.take_integer(given, "WATCHDOG", 0, 0, 2**63),
        options.take_integer(given, "DRAIN_LIMIT", DRAIN_LIMIT_RESET, 0, 2**32 - 1),
        Hardware(
            **{
                name: options.take_integer(given, key, 0, 0, 2**40)
                for key, name in _HARDWARE.items()
                if key in given
            }
        ),
        {
            memory: Path(given.pop(key))
            for key, memory in program_runner.IMAGE_OPTIONS.items()
            if key in given
        },
    )
    if given:
        known = [*_HARDWARE, *program_runner.IMAGE_OPTIONS, *_RUN_OPTIONS]
        raise options.UsageError(f"unknown option {next(iter(given))}; there are {', '.join(known)}")
    return command


def main(arguments: list[str]) -> int:
    """Run the program that the arguments describe and return the exit status."""
    try:
        command = _parse(arguments)
        words = read_program(command.program)
        run, simulation = command.run, command.out / "simulation"
        outcome = program_runner.run_program(
            command.hardware,
            words,
            command.image_files,
            run.sim,
            latency=run.latency,
            jitter=run.jitter,
            seed=command.seed,
            watchdog=command.watchdog,
            drain_limit=command.drain_limit,
            waves=run.waves,
            folder=simulation if run.waves else None,
        )
    except OSError as error:
        return options.fail(f"{error.filename}: {error.strerror}")
    except (
        options.UsageError,
        HardwareError,
        MachineCodeError,
        images.ImageError,
        simulate.SimulationError,
        ValueError,
    ) as error:
        return options.fail(error)
    images.write(command.out, outcome.images, outcome.hbm_bytes)
    (command.out / "stats.json").write_text(json.dumps(outcome.to_json(), indent=2) + "\n")
    if run.waves and run.sim != program_runner.REFERENCE:
        waves.write_save_file(simulation)
    _report(outcome, words, command.out)
    return 0 if outcome.status == "stopped" else 1


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
    print(f"{outcome.instructions} instructions{cycles}; images and stats.json in {out}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
