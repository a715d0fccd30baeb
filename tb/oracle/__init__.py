"""Exact arithmetic that numbers of RTL and reference machine are judged by: integers, rationals, intervals.

Nothing here uses numpy, ml_dtypes or Python floats, or knows how RTL, its tables or the reference machine are
made. Bit patterns are plain integers. Every function follows the number rules of docs/isa.md: subnormals are
zero of the same sign on the way in and out, NaN is canonical.
"""

from tb.oracle.arithmetic import (
    add,
    bf16_add,
    bf16_max,
    bf16_min,
    bf16_mul,
    bf16_sub,
    bf16_to_f32,
    f32_add,
    f32_mul,
    f32_to_bf16,
    multiply,
    tree_sum,
)
from tb.oracle.functions import (
    bf16_exp,
    bf16_reciprocal,
    bf16_sqrt,
)
from tb.oracle.mxfp8 import (
    mx_decode,
    mx_element,
    mx_encode,
    mx_scale,
)
from tb.oracle.numbers import (
    BF16,
    F32,
    flush,
    read,
    round_to,
)
from tb.oracle.plena_mxfp8 import (
    plena_decode,
    plena_element,
    plena_encode,
    plena_scale,
)

__all__ = [
    "BF16",
    "F32",
    "add",
    "bf16_add",
    "bf16_exp",
    "bf16_max",
    "bf16_min",
    "bf16_mul",
    "bf16_reciprocal",
    "bf16_sqrt",
    "bf16_sub",
    "bf16_to_f32",
    "f32_add",
    "f32_mul",
    "f32_to_bf16",
    "flush",
    "multiply",
    "mx_decode",
    "mx_element",
    "mx_encode",
    "mx_scale",
    "plena_decode",
    "plena_element",
    "plena_encode",
    "plena_scale",
    "read",
    "round_to",
    "tree_sum",
]
