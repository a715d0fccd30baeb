"""Command line of the reference package: `plena --help`, or `python -m plena_ref --help`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from plena_ref.isa import codegen
from plena_ref.isa import instructions as isa
from plena_ref.isa.assembler import assemble
from plena_ref.isa.disassembler import disassemble
from plena_ref.isa.machine_code import read_program, write_program
from plena_ref.isa.text_file import read_text

#: Memories that a program may be given.
_IMAGES = ("vram", "fpmem", "intmem", "hbm")


def _assemble(arguments: argparse.Namespace) -> int:
    words = assemble(read_text(arguments.source), str(arguments.source))
    if arguments.output is None:
        print("\n".join(f"0x{word:08X}" for word in words))
    else:
        write_program(arguments.output, words)
    return 0


def _disassemble(arguments: argparse.Namespace) -> int:
    words = list(arguments.words)
    if arguments.program is not None:
        words = read_program(arguments.program) + words
    for pc, word in enumerate(words):
        print(f"{disassemble(word):<44} ; {pc:6d}  0x{word:08X}")
    return 0


def _isa(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="PLENA instruction set", title_justify="left")
    table.add_column("code")
    table.add_column("assembly", overflow="fold")
    table.add_column("format")
    table.add_column("unit")
    table.add_column("state")
    table.add_column("meaning", overflow="fold")
    for entry in isa.INSTRUCTIONS.values():
        if arguments.unit is not None and entry.unit.name != arguments.unit:
            continue
        state = "legal" if entry.legal else "illegal"
        code, assembly = f"{entry.opcode:02X}", escape(entry.text_form)
        table.add_row(code, assembly, entry.format.value, entry.unit.name, state, entry.meaning)
    Console().print(table)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from plena_ref import run_command
    from plena_ref.machine.reference import InstructionLimitError

    images = {memory: getattr(arguments, memory) for memory in _IMAGES}
    given = {memory: path for memory, path in images.items() if path is not None}
    hw = run_command.hardware(arguments.machine)
    try:
        return run_command.run(arguments.program, given, arguments.out, hw, arguments.max_instructions)
    except InstructionLimitError as error:
        raise ValueError(str(error)) from None


def _codegen(arguments: argparse.Namespace) -> int:
    if arguments.check:
        for path in codegen.stale():
            print(f"stale: {path} (run `python -m plena_ref codegen`)", file=sys.stderr)
        return 1 if codegen.stale() else 0
    for path in codegen.write():
        print(f"wrote {path}")
    return 0


def _positive(text: str) -> int:
    value = int(text, 0)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is no positive number")
    return value


def _word(text: str) -> int:
    value = int(text, 0)
    if not 0 <= value < 1 << 32:
        raise ValueError(text)
    return value


class _Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the complaint and exit with 2."""
        print(f"error: {message}; {self.prog} --help lists the options", file=sys.stderr)
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="plena", description="Tools of the PLENA reference package.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("assemble", help="assembly text to a machine-code file")
    command.add_argument("source", type=Path, help="assembly file")
    command.add_argument("-o", "--output", type=Path, help="machine-code file to write; without it, print")
    command.set_defaults(run=_assemble)

    command = commands.add_parser("disassemble", help="a machine-code file, or words, to assembly text")
    command.add_argument("program", type=Path, nargs="?", help="machine-code file")
    command.add_argument("-w", "--words", type=_word, nargs="+", default=[], help="words, such as 0x00000034")
    command.set_defaults(run=_disassemble)

    command = commands.add_parser("isa", help="print the instruction set")
    command.add_argument("--unit", choices=[unit.name for unit in isa.Unit], help="only this unit")
    command.set_defaults(run=_isa)

    command = commands.add_parser("run", help="run a machine-code file on the reference machine")
    command.add_argument("program", type=Path, help="machine-code file")
    command.add_argument("machine", nargs="*", help="shape of the machine, such as MLEN=16 BLEN=4")
    command.add_argument("-o", "--out", type=Path, required=True, help="folder for memories and stats.json")
    for memory in _IMAGES:
        command.add_argument(f"--{memory}", type=Path, help=f"raw image of {memory}, little-endian")
    command.add_argument("--max-instructions", type=_positive, help="give up after as many instructions")
    command.set_defaults(run=_run)

    command = commands.add_parser("codegen", help="rewrite the files generated from the tables")
    command.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is stale")
    command.set_defaults(run=_codegen)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        the exit status: 0 success, 1 a trap or a stale file, 2 refused, 130 for Ctrl-C.
    """
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("error: interrupted by SIGINT", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # What is still to be printed goes nowhere, and Python says nothing of it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except OSError as error:
        print(
            f"error: {error.filename}: {error.strerror}" if error.filename else f"error: {error}",
            file=sys.stderr,
        )
        return 2
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
