"""The text of `rtl/mx_format.svh`: the element format that the parameter ELEMENT chooses, as constants."""

from __future__ import annotations

from collections.abc import Callable

from plena_ref.isa.formats import FORMATS, ElementFormat, Rules

_HEAD = """\
// Constants of the element format of HBM that the parameter ELEMENT chooses; codes without the sign bit.
// Included where ELEMENT is a parameter. Generated from plena_ref/isa/formats.py; specified in docs/isa.md.
// verilator lint_off UNUSEDPARAM
"""


def _subnormal(entry: ElementFormat) -> int:
    return entry.smallest_exponent + entry.bias


def _exponent(entry: ElementFormat) -> int:
    return (entry.largest >> entry.mantissa_bits) - entry.bias


def _fraction(entry: ElementFormat) -> int:
    return (entry.largest & (1 << entry.mantissa_bits) - 1) << 7 - entry.mantissa_bits


#: Type and name of a constant, what it is, and how a format gives it.
_CONSTANTS: tuple[tuple[str, str, Callable[[ElementFormat], str]], ...] = (
    ("int MX_EXPONENT_W", "bits of the exponent field", lambda e: f"{e.exponent_bits}"),
    ("int MX_MANTISSA_W", "bits of the mantissa field", lambda e: f"{e.mantissa_bits}"),
    ("logic [9:0] MX_BIAS", "bias of the exponent", lambda e: f"10'd{e.bias}"),
    ("int MX_SUBNORMAL", "exponent field that subnormals scale like", lambda e: f"{_subnormal(e)}"),
    ("logic [6:0] MX_LARGEST", "code of the largest magnitude", lambda e: f"7'h{e.largest:02X}"),
    ("logic [6:0] MX_FIRST_NAN", "lowest code of a NaN", lambda e: f"7'h{e.first_nan:02X}"),
    ("logic [6:0] MX_NAN", "code of the NaN that is written", lambda e: f"7'h{e.nan:02X}"),
    ("logic [8:0] MX_LARGEST_EXPONENT", "exponent of the largest", lambda e: f"9'd{_exponent(e)}"),
    ("logic [6:0] MX_LARGEST_FRACTION", "its fraction, as bf16 has it", lambda e: f"7'h{_fraction(e):02X}"),
    ("logic MX_PLENA", "scales and rounding by PLENA's rules", lambda e: f"1'b{int(e.rules is Rules.PLENA)}"),
)  # fmt: skip


def format_text() -> str:
    """The text of `rtl/mx_format.svh`."""
    *chosen, last = enumerate(FORMATS.values())
    lines = []
    for name, what, value in _CONSTANTS:
        choice = "".join(f"ELEMENT == {number} ? {value(entry)} : " for number, entry in chosen)
        lines.append(f"localparam {name} = {choice}{value(last[1])};  // {what}\n")
    lines.append(f"localparam int MX_FORMATS = {len(FORMATS)};  // values of ELEMENT, from 0 on\n")
    return _HEAD + "".join(lines) + "// verilator lint_on UNUSEDPARAM\n"
