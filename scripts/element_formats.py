"""How far apart the element formats are on weights: ``python -m scripts.element_formats [MODEL=packaged]``.

Weights go to bf16, then through HBM: written and read by the same format, and written by PLENA's rules and
read by either, which differ where an element's exponent field is 0. Without MODEL: a million normal numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.formats import FORMATS
from plena_ref.machine import mx
from plena_ref.machine.hbm_format import HbmFormat
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.models.checkpoint import ModelFileError
from plena_ref.models.load import load
from tb.bench import command, options

BLOCK = 8


def _normal() -> Iterator[NDArray[np.float64]]:
    """A million numbers of N(0, 0.02), in rows as of a weight matrix."""
    yield np.random.default_rng(0).standard_normal((1024, 1024)) * 0.02


def _matrices(path: Path | None) -> Iterator[NDArray[np.float64]]:
    """Every weight matrix of a model, blocks along a row of its input features."""
    weights = load(path).weights
    for layer in weights.layers:
        for field in fields(layer):
            matrix = np.asarray(getattr(layer, field.name), dtype=np.float64)
            if matrix.ndim == 2:
                yield matrix


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.sum(values**2)))


def measure(matrices: Iterator[NDArray[np.float64]]) -> list[str]:
    """The lines of the report."""
    size = differing = 0
    squares = {"all": 0.0, "misread": 0.0, **dict.fromkeys(FORMATS, 0.0)}
    worst = 0.0
    for matrix in matrices:
        rows = matrix[:, : matrix.shape[1] // BLOCK * BLOCK]
        bits = bf16_from_float(rows)
        exact = bf16_to_f32(bits).astype(np.float64)
        for key in FORMATS:
            squares[key] += _rms(HbmFormat(key, BLOCK).values(bits) - exact) ** 2
        elements, scales = mx.encode_rows(bits, BLOCK, "plena")
        meant, read = (
            bf16_to_f32(mx.decode_rows(elements, scales, key)).astype(np.float64) for key in ("plena", "ocp")
        )
        off = np.abs(read - meant)
        largest = np.abs(exact).reshape(*exact.shape[:-1], -1, BLOCK).max(axis=-1).repeat(BLOCK, axis=-1)
        worst = max(worst, float((off[largest > 0] / largest[largest > 0]).max()))
        size += off.size
        differing += int((off > 0).sum())
        squares["misread"] += _rms(off) ** 2
        squares["all"] += _rms(exact) ** 2
    relative = {name: np.sqrt(value / squares["all"]) for name, value in squares.items()}
    return [
        f"{size} weights, blocks of {BLOCK}",
        *(f"written and read as {key}: rms error {relative[key]:.5f} of the weights' rms" for key in FORMATS),
        f"written as plena, read as ocp: {differing / size:.4%} of the elements differ, "
        f"by at most {worst:.5f} of their block's largest; rms {relative['misread']:.6f} of the weights'",
    ]


def main(arguments: list[str]) -> int:
    """Print the report; exit status 2 where there is no such model."""
    try:
        given = options.parse(arguments)
        model = given.pop("MODEL", None)
        options.refuse_unknown(given, ("MODEL",))
        path = None if model in (None, "packaged") else Path(model)
        lines = measure(_normal() if model is None else _matrices(path))
    except (options.UsageError, ModelFileError, OSError) as error:
        return options.fail(error)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
