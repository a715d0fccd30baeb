"""Runs functions of ``plena_fp`` and ``mx_functions.svh`` on whole arrays, through ``hdl/fp_vectors.sv``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.formats import ELEMENT, FORMATS
from tb.engine import scratch, simulate

#: Raw bit patterns in words of any width.
Bits = NDArray[np.integer]

# In the order of the codes of fp_vectors.sv.
FUNCTIONS = (
    "f32_add",
    "bf16_mul_f32",
    "bf16_to_f32",
    "f32_to_bf16",
    "bf16_flush",
    "bf16_add",
    "bf16_sub",
    "bf16_mul",
    "bf16_max",
    "bf16_min",
    "sfu",
    "mx_decode",
    "mx_scale",
    "mx_encode",
)

SOURCES = ("rtl/plena_pkg.sv", "rtl/float/plena_fp.sv", "tb/unit/hdl/fp_vectors.sv")

EXP, RECIPROCAL, SQUARE_ROOT = 0, 1, 2


def apply(
    function: str,
    a: Bits,
    b: Bits | int = 0,
    simulator: str = "verilator",
    element: str = ELEMENT,
) -> NDArray[np.uint32]:
    """Return ``function(a, b)`` as the RTL computes it.

    Args:
        function: a name of :data:`FUNCTIONS`; "sfu" runs all three stages, ``b`` is the operation.
        a: first operands, raw bits, any integer dtype, shape (n,).
        b: second operands, raw bits, same shape or one value; ignored by the functions of one operand.
        simulator: "verilator" or "icarus".
        element: element format of HBM.

    Returns:
        uint32 array of shape (n,), raw bits, narrow results in the low bits.

    Raises:
        simulate.SimulationError: the simulation failed or did not answer every vector.
    """
    simulate.require(simulator)
    parameters = {"ELEMENT": list(FORMATS).index(element)}
    model = simulate.build("fp_vectors", SOURCES, parameters=parameters, simulator=simulator)
    pairs = np.empty((a.size, 2), dtype=">u4")
    pairs[:, 0] = a
    pairs[:, 1] = b
    unit = Path(__file__).resolve().parent
    with scratch.folder(simulate.BUILD / "runs" / "unit", "fp_vectors") as folder:
        pairs.tofile(folder / "operands.bin")
        simulate.run(
            model, "cocotb_float", folder=folder, search=[unit], plusargs=[f"+op={FUNCTIONS.index(function)}"]
        )
        results = np.fromfile(folder / "results.bin", dtype="<u4")
    if results.size != a.size:
        raise simulate.SimulationError(f"{function}: {results.size} results for {a.size} vectors")
    return results
