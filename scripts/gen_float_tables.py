"""Write the constant tables of ``rtl/float/plena_fp.sv`` into its marked region.

The tables are computed with integers only (powers of two by bisection of integer roots), so the output is
the same on every machine. ``--check`` changes nothing and exits with 1 when the file is out of date.
"""

from __future__ import annotations

import argparse
import sys
from math import isqrt
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "rtl" / "float" / "plena_fp.sv"
BEGIN = "  // verilog_format: off  (tables written by scripts/gen_float_tables.py)\n"
END = "  // verilog_format: on\n"

SEGMENT_BITS = 5  # index bits of each of the two exponential tables
FRACTION_BITS = 22  # fraction bits of both exponential tables
SLOPE_BITS = 10  # fraction bits of the interpolation slope
LOG2E_BITS = 24  # fraction bits of log2(e)

_GUARD = 96  # working precision in bits, far beyond every table


def _round(value: int, drop: int) -> int:
    """Round ``value / 2**drop`` to the nearest integer, halves up."""
    return (value + (1 << (drop - 1))) >> drop


def _exp2(numerator: int, bits: int) -> int:
    """Return 2**(numerator / 2**bits) with ``_GUARD`` fraction bits, 0 <= numerator <= 2**bits."""
    value = 1 << _GUARD
    root = 2 << _GUARD
    for position in range(bits, -1, -1):
        if numerator >> position & 1:
            value = value * root >> _GUARD
        root = isqrt(root << _GUARD)
    return value


def _log2e() -> int:
    """Return log2(e) = 1 / ln 2 with ``_GUARD`` fraction bits; ln 2 is the sum of 1 / (n * 2**n)."""
    wide = 2 * _GUARD
    ln2 = sum((1 << wide) // (n << n) for n in range(1, wide))
    return (1 << (wide + _GUARD)) // ln2


def exponential_tables() -> tuple[list[int], list[int], list[int]]:
    """Return (coarse, fine, slope): 2**(i/32) - 1, 2**(j/1024) - 1, chord slope of the latter; integers."""
    count = 1 << SEGMENT_BITS
    one = 1 << _GUARD
    fine_exact = [_exp2(j, 2 * SEGMENT_BITS) - one for j in range(count + 1)]
    coarse = [_round(_exp2(i, SEGMENT_BITS) - one, _GUARD - FRACTION_BITS) for i in range(count)]
    fine = [_round(value, _GUARD - FRACTION_BITS) for value in fine_exact[:count]]
    drop = _GUARD - 2 * SEGMENT_BITS - SLOPE_BITS
    slope = [_round(fine_exact[j + 1] - fine_exact[j], drop) for j in range(count)]
    return coarse, fine, slope


def reciprocal_table() -> list[int]:
    """Return the 7 fraction bits of the rounded 2 / 1.m for the 128 fractions m (entry 0 is 1 / 1.0)."""
    return [0] + [(2 * (1 << 15) + 128 + m) // (2 * (128 + m)) - 128 for m in range(1, 128)]


def square_root_table() -> list[int]:
    """Return 7 fraction bits of the rounded square root of 1.m (entries 0..127), 2 * 1.m (128..255)."""
    table = []
    for odd in (0, 1):
        for m in range(128):
            doubled = isqrt((128 + m) << (9 + odd))  # floor(2 * 128 * sqrt(...))
            table.append((doubled + 1) // 2 - 128)
    return table


def _localparam(name: str, width: int, entries: list[int], comment: str) -> str:
    """Format one table as a flat localparam, entry 0 in the lowest bits."""
    digits = (width + 3) // 4
    words = [f"{width}'h{entry:0{digits}x}" for entry in reversed(entries)]
    per_line = 8 if width > 7 else 10
    lines = [", ".join(words[i : i + per_line]) for i in range(0, len(words), per_line)]
    body = ",\n    ".join(lines)
    total = width * len(entries)
    return f"  // {comment}\n  localparam logic [{total - 1}:0] {name} = {{\n    {body}\n  }};\n"


def render() -> str:
    """Return the whole marked region, markers included."""
    coarse, fine, slope = exponential_tables()
    log2e = _round(_log2e(), _GUARD - LOG2E_BITS)
    parts = [
        f"  // log2(e), {LOG2E_BITS} fraction bits\n"
        f"  localparam logic [{LOG2E_BITS}:0] LOG2E = {LOG2E_BITS + 1}'h{log2e:07x};\n",
        _localparam("EXP_COARSE", FRACTION_BITS, coarse, "2^(i/32) - 1, 22 fraction bits, i = 0..31"),
        _localparam("EXP_FINE", 17, fine, "2^(j/1024) - 1, 22 fraction bits, j = 0..31"),
        _localparam(
            "EXP_SLOPE", SLOPE_BITS, slope, "slope of 2^g from g = j/1024 to (j+1)/1024, 10 fraction bits"
        ),
        _localparam("RECI_FRAC", 7, reciprocal_table(), "fraction of 2 / 1.m rounded to bf16, m = 0..127"),
        _localparam("SQRT_FRAC", 7, square_root_table(), "fraction of sqrt(1.m), then of sqrt(2 * 1.m)"),
    ]
    return BEGIN + "\n".join(parts) + END


def main(arguments: list[str] | None = None) -> int:
    """Rewrite (or with ``--check`` compare) the region; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="only compare; exit 1 when the file is out of date"
    )
    options = parser.parse_args(arguments)
    text = TARGET.read_text(encoding="utf-8")
    head, separator, rest = text.partition(BEGIN)
    _, closing, tail = rest.partition(END)
    if not separator or not closing:
        print(f"{TARGET}: table markers not found", file=sys.stderr)
        return 1
    updated = head + render() + tail
    if options.check:
        if updated != text:
            print(f"{TARGET}: tables out of date; run scripts/gen_float_tables.py", file=sys.stderr)
            return 1
        return 0
    TARGET.write_text(updated, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
