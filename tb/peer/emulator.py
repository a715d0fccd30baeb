"""``plena-emulator``: this RTL behind the command line of PLENA's emulator.

It leaves the emulator's dumps in the working directory and prints the lines that their runner reads. It
judges nothing: 0 on a normal stop, 1 on a trap, 2 when it could not run. docs/plena_tools.md has the details.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from plena_ref.isa.formats import FORMATS
from plena_ref.machine.hardware import HBM_BYTES_MAX, Hardware, HardwareError
from tb.bench import command, harness, options
from tb.bench.job import DEFAULT_LATENCY, Job, JobResult
from tb.engine import simulate
from tb.peer import comparison, directory, dumps, model, settings, shape, stage_profile, stages
from tb.peer.errors import PeerError
from tb.peer.prepared import Prepared

_LEVELS = ("trace", "debug", "info", "warn", "error", "off")
_SIZE = re.compile(r"([0-9]+)([KMGT]?)(?:i?B)?", re.IGNORECASE)
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


class _Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the complaint, leave no old dump and exit with 2."""
        dumps.remove(Path())
        print(f"error: {message}; --help lists the options", file=sys.stderr)
        raise SystemExit(2)


def _size(text: str) -> int:
    """Bytes, with an optional K, M, G or T."""
    match = _SIZE.fullmatch(text)
    if match is None or not int(match[1]):
        raise argparse.ArgumentTypeError(f"'{text}' is no size such as 4096, 256M or 1G")
    return int(match[1]) << _UNITS[match[2].upper()]


def _period(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"'{text}' is no positive number of nanoseconds")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        "plena-emulator", description="Run a PLENA program on the RTL model.", allow_abbrev=False
    )
    for name, text in (("opcode", "machine code"), ("hbm", "HBM image"), ("fpsram", "FP_MEM, float16")):
        parser.add_argument(f"--{name}", type=Path, required=True, help=text)
    parser.add_argument("--intsram", type=Path, help="INT_MEM, uint32")
    parser.add_argument("--vram", type=Path, help="vector SRAM, bf16")
    parser.add_argument("--hbm-size", type=_size, help="bytes of HBM, or 256M, 1G")
    parser.add_argument(
        "--settings", type=Path, help=f"settings; else ${settings.VARIABLE}, else ../{settings.FILE}"
    )
    parser.add_argument("--log-level", choices=_LEVELS, help="debug and trace also leave hbm_dump.bin")
    parser.add_argument("--log-file", type=Path, help="a copy of what is printed")
    parser.add_argument("--stage-profile-asm", type=Path, help="assembly text whose comments name stages")
    parser.add_argument("--stage-profile-out", type=Path, help="where the profile goes, JSON")
    parser.add_argument("--clock-period-ns", type=_period, default=1.0, help="of the latency that is printed")
    parser.add_argument("--memory-latency", type=int, default=DEFAULT_LATENCY, help="cycles to HBM's answer")
    parser.add_argument("--element", choices=tuple(FORMATS), default=shape.ELEMENT, help="of HBM's E4M3")
    parser.add_argument("--sim", help="simulator: verilator (default) or icarus")
    return parser


def read(given: argparse.Namespace, folder: Path) -> tuple[Prepared, list[str]]:
    """Read what the command line names; also returns what people should know of it.

    Raises:
        PeerError: a file is missing, odd, or does not fit.
        HardwareError: there is no such machine.
    """
    path = settings.find(given.settings, os.environ.get(settings.VARIABLE), (folder.resolve().parent,))
    chosen = settings.Settings() if path is None else settings.read(path)
    remarks = ["no settings file: a machine as PLENA's tools have it by default"] if path is None else []
    words = directory.read_program(given.opcode)
    preload = directory.read_preload(given.hbm, given.fpsram, given.intsram, given.vram)
    size = given.hbm_size or chosen.hbm_size or 0
    if not 0 < size <= HBM_BYTES_MAX and given.hbm_size is None:
        size = directory.usual_hbm_size(preload.hbm.size)
    size = -(-size // directory.BEAT) * directory.BEAT
    made = shape.shape(
        chosen, {"element": given.element}, words, preload, size, _result_end(given.opcode.parent)
    )
    found = None
    if given.stage_profile_asm is not None:
        text = stages.read(given.stage_profile_asm)
        found = text.cut_to(len(words))
        if len(text.names) != len(words):
            told = f"{len(text.names)} instructions, but the program has {len(words)}"
            remarks.append(f"{given.stage_profile_asm}: {told}; its stages may be misplaced")
    return Prepared(words, preload, made, found), remarks + made.remarks


def _result_end(folder: Path) -> int:
    """The end of the result that the program's directory names, so that the dump covers it; else 0."""
    try:
        return comparison.read(folder).end
    except PeerError:
        return 0


def _statistics(got: JobResult, period_ns: float) -> list[str]:
    """The lines that their runner reads when the program has stopped."""
    read, written = (directory.BEAT * beats for beats in got.bus_beats)
    latency = got.cycles * period_ns
    rate = (read + written) / (latency * 1e-9) if latency else 0.0
    mantissa, _, exponent = f"{rate:.2e}".partition("e")
    return [
        f"Simulation completed. Latency {latency:.1f}ns",
        f"HBM Statistics - Bytes read: {read} | Bytes written: {written} | "
        f"Utilization: {mantissa}e{int(exponent)} bytes/sec",
    ]


def _write_profile(path: Path, got: JobResult, program: Prepared, period_ns: float) -> None:
    """Write the profile by stage."""
    assert program.stages is not None and got.trace is not None
    hw, names = program.shape.hardware, program.stages.names
    uses = stage_profile.profile(got.trace, got.cycles, names, program.words, hw)
    text = json.dumps(stage_profile.to_json(uses, hw, period_ns, len(names)), indent=2) + "\n"
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    os.replace(part, path)


def _topology(hw: Hardware) -> str:
    return f"mlen={hw.mlen} vlen={hw.mlen} hlen={hw.hlen} blen={hw.blen}"


def _run(given: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run what the command line asks for and return the exit status."""
    folder = Path()
    program, remarks = read(given, folder)
    hw, simulator = program.shape.hardware, given.sim or simulate.default_simulator()
    images = program.images()
    say(_topology(hw))
    for remark in remarks:
        say(remark)
    model.ready(hw, simulator, False, None, say)
    profiled = program.stages is not None
    job = Job(
        program.words,
        images,
        limit=program.shape.limit,
        latency=given.memory_latency,
        program_base=program.program_base,
        trace=profiled,
    )
    got = harness.run(hw, [job], simulator).jobs[0]
    if got.status != "stopped":
        reason = program.trap(got.cause, got.pc, got.registers) if got.cause else f"{got.status}: no stop"
        print(f"error: {reason}", file=sys.stderr)
        return 1
    debug = given.log_level in ("debug", "trace")
    dumps.write(folder, got.images, max(program.preload.hbm.size, got.hbm_high_water + 1) if debug else None)
    if profiled:
        _write_profile(given.stage_profile_out, got, program, given.clock_period_ns)
    say(f"stopped at pc {got.pc}: {got.cycles} cycles, {got.instructions} instructions")
    for line in _statistics(got, given.clock_period_ns):
        say(line)
    return 0


def main(arguments: Sequence[str]) -> int:
    """Run the emulator's command line and return the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if (given.stage_profile_asm is None) != (given.stage_profile_out is None):
        parser.error("--stage-profile-asm and --stage-profile-out go together")
    if not 1 <= given.memory_latency <= 65535:
        parser.error("--memory-latency lies outside 1..65535")
    log = None

    def say(line: str) -> None:
        print(line, flush=True)
        if log is not None:
            print(line, file=log, flush=True)

    try:
        dumps.remove(Path())
        if given.stage_profile_out is not None:
            given.stage_profile_out.unlink(missing_ok=True)
        if given.log_file is not None:
            log = given.log_file.open("w", encoding="utf-8")
        return _run(given, say)
    except OSError as error:
        return options.fail(f"{error.filename}: {error.strerror}")
    except (PeerError, HardwareError, simulate.SimulationError, ValueError) as error:
        return options.fail(error)
    finally:
        if log is not None:
            log.close()


def console() -> NoReturn:
    """The console command."""
    sys.exit(command.run(main, sys.argv[1:]))


if __name__ == "__main__":
    console()
