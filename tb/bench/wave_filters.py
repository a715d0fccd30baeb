"""Codes and rows by name, bf16 and f32 as numbers, in GTKWave: its translation files and processes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from plena_ref.isa import instructions as isa
from plena_ref.isa.counters import DISPATCH, QUEUE
from plena_ref.isa.encoding import Unit
from plena_ref.isa.operations import OPERATIONS
from tb.bench.wave_views import ROW

#: The translation processes, each with the hexadecimal digits of a number: they become decimal fractions.
NUMBERS_PROGRAM, SUMS_PROGRAM = "bf16_numbers.py", "f32_numbers.py"
_DIGITS = {NUMBERS_PROGRAM: 4, SUMS_PROGRAM: 8}
_PROGRAM = '''#!{python}
"""Translates what GTKWave shows: every {digits} hexadecimal digits are a number, the lowest first."""
import struct
import sys

for line in sys.stdin:
    text = line.strip()
    try:
        words = [int(text[max(at - {digits}, 0) : at], 16) for at in range(len(text), 0, -{digits})]
        values = [struct.unpack("<f", struct.pack("<I", word << {shift}))[0] for word in words]
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


def write(folder: Path, rows: Mapping[int, str]) -> None:
    """Leave the translation files and the processes beside a wave file; `rows` of VRAM have names."""
    for form, (bits, names) in translations().items():
        digits = -(-bits // 4)
        lines = [f"{code:0{digits}x} {name}\n" for code, name in sorted(names.items())]
        (folder / file_of(form)).write_text("".join(lines))
    # What is looked up here is decimal, and what has no name stays so.
    named = [f"{row} {row} {name}\n" for row, name in sorted(rows.items())]
    (folder / file_of(ROW)).write_text("".join(named))
    for name, digits in _DIGITS.items():
        program = folder / name
        program.write_text(_PROGRAM.format(python=sys.executable, digits=digits, shift=32 - 4 * digits))
        program.chmod(0o755)
