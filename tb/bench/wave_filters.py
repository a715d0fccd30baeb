"""Codes by name, and bf16 as numbers, in GTKWave: its translation files and its translation process."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from plena_ref.isa import instructions as isa
from plena_ref.isa.counters import DISPATCH, QUEUE
from plena_ref.isa.encoding import Unit
from plena_ref.isa.operations import OPERATIONS

#: The translation process: numbers of 16 bits each become decimal fractions.
NUMBERS_PROGRAM = "bf16_numbers.py"
_PROGRAM = '''#!{python}
"""Translates what GTKWave shows: every four hexadecimal digits are a bf16, the lowest first."""
import struct
import sys

for line in sys.stdin:
    text = line.strip()
    try:
        words = [int(text[at - 4 if at > 4 else 0 : at], 16) for at in range(len(text), 0, -4)]
        values = [struct.unpack("<f", struct.pack("<I", word << 16))[0] for word in words]
        shown = "  ".join(f"{{value:.4g}}" for value in values)
    except ValueError:
        shown = text
    print(shown, flush=True)
'''


def _operations(unit: Unit) -> dict[int, str]:
    """The operation codes of a unit; those of the matrix unit with each of their accumulators."""
    return {code: name for name, code in OPERATIONS[unit].items()}


def translations() -> dict[str, tuple[int, Mapping[int, str]]]:
    """By the name of a form, the bits of its codes and the name of each code."""
    opcodes = {code: entry.mnemonic for code, entry in isa.BY_OPCODE.items() if code}
    return {
        "opcode": (6, {0: "-", **opcodes}),
        "cause": (4, {cause.value: cause.name.lower() for cause in isa.TrapCause}),
        "dispatch": (4, {code: one.name for code, one in enumerate(DISPATCH)}),
        "queue": (4, {code: one.name for code, one in enumerate(QUEUE)}),
        "matrix_op": (4, _operations(Unit.M)),
        "vector_op": (4, _operations(Unit.V)),
        "float_op": (4, _operations(Unit.F)),
        "hbm_op": (4, _operations(Unit.H)),
    }


def file_of(form: str) -> str:
    """The name of the translation file of a form."""
    return f"names_of_{form}.txt"


def write(folder: Path) -> None:
    """Leave the translation files and the process beside a wave file."""
    for form, (bits, names) in translations().items():
        digits = -(-bits // 4)
        lines = [f"{code:0{digits}x} {name}\n" for code, name in sorted(names.items())]
        (folder / file_of(form)).write_text("".join(lines))
    program = folder / NUMBERS_PROGRAM
    program.write_text(_PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
