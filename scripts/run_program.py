"""Run a machine-code file: ``python -m scripts.run_program PROGRAM=p.mem OUT=dir [HBM=.. MLEN=.. SIM=..]``.

Exits 0 on a normal stop, 1 on a trap, 2 when the program could not run. docs/bench.md lists the options.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path

from plena_ref.isa.machine_code import MachineCodeError, read_program
from plena_ref.machine.hardware import Hardware, HardwareError
from scripts import options
from tb.bench import case_runner, harness, images, program_runner, waves
from tb.engine import simulate

_RUN_OPTIONS = ("SIM", "LATENCY", "JITTER", "SEED", "WATCHDOG", "WAVES")
_HARDWARE = {field.name.upper(): field.name for field in fields(Hardware)}


def main(arguments: list[str]) -> int:
    """Run the program that the arguments describe and return the exit status."""
    try:
        given = options.parse(arguments)
        for needed in ("PROGRAM", "OUT"):
            if needed not in given:
                return options.fail(f"{needed}= is missing")
        program, out = Path(given.pop("PROGRAM")), Path(given.pop("OUT"))
        simulator = given.pop("SIM", simulate.default_simulator())
        latency = options.take_integer(given, "LATENCY", harness.DEFAULT_LATENCY, 1, 65535)
        jitter = options.take_integer(given, "JITTER", 0, 0, 255)
        seed = options.take_integer(given, "SEED", 1, 0, 2**32 - 1)
        watchdog = options.take_integer(given, "WATCHDOG", 0, 0, 2**63)
        with_waves = bool(options.take_integer(given, "WAVES", 0, 0, 1))
        shape = {
            name: options.take_integer(given, key, 0, 0, 2**40)
            for key, name in _HARDWARE.items()
            if key in given
        }
        files = {
            memory: Path(given.pop(key))
            for key, memory in program_runner.IMAGE_OPTIONS.items()
            if key in given
        }
        if given:
            known = [*_HARDWARE, *program_runner.IMAGE_OPTIONS, *_RUN_OPTIONS]
            return options.fail(f"unknown option {next(iter(given))}; there are {', '.join(known)}")
        hw = Hardware(**shape)
        words = read_program(program)
        if simulator != "reference":
            simulate.find_tool(simulator)
        outcome = program_runner.run_program(
            hw,
            words,
            files,
            simulator,
            latency=latency,
            jitter=jitter,
            seed=seed,
            watchdog=watchdog,
            waves=with_waves,
            folder=out / "simulation" if with_waves else None,
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

    images.write(out, outcome.images, outcome.hbm_bytes)
    (out / "stats.json").write_text(json.dumps(outcome.to_json(), indent=2) + "\n")
    if with_waves and simulator != "reference":
        waves.write_save_file(out / "simulation")
    cycles = "" if outcome.cycles is None else f", {outcome.cycles} cycles"
    if outcome.status == "trap":
        print(case_runner.describe_trap(words, outcome.cause, outcome.pc))
    elif outcome.status != "stopped":
        print(f"{outcome.status}: no stop, the bench gave up")
    else:
        print(f"stopped at pc {outcome.pc}")
    print(f"{outcome.instructions} instructions{cycles}; images and stats.json in {out}")
    return 0 if outcome.status == "stopped" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
