"""Where the error of the attention kernel comes from: `python -m plena_ref.error_analysis --help`.

Float64 attention, block by block as the kernel does it, with any subset of the kernel's bf16 roundings
switched on; the reference machine's own error beside it; and a closed-form prediction. Explained in
docs/accuracy.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from plena_ref import golden
from plena_ref.cases import (
    CASES,
    STRICT,
    Case,
    CaseError,
    Tolerance,
    block_tiles,
    build,
    draw_inputs,
    staged_keys_and_values,
)
from plena_ref.compare import result_values
from plena_ref.kernels.tiling import KeyTile, QueryTile, query_tiles
from plena_ref.machine import Machine
from plena_ref.numerics import bf16_from_float, bf16_to_f32

F64 = NDArray[np.float64]

#: The kernel's roundings to bf16, in the order of the computation.
STAGES: dict[str, str] = {
    "Qs": "the softmax scale, and scale*Q",
    "S": "scores, at the write-out",
    "S-m": "scores less the running maximum",
    "P": "exp of that",
    "l": "running sum",
    "PV": "product, at the write-out",
    "r": "exp(m_old - m), O*r and O + PV, from block to block",
    "1/l": "reciprocal of the sum",
    "O": "output",
}


def round_to_bf16(x: F64) -> F64:
    """The nearest bf16 value, in float64."""
    return bf16_to_f32(bf16_from_float(x)).astype(np.float64)


def rounding_variance(x: F64) -> F64:
    """Variance of the error of rounding `x` to bf16: uniform over a step of 2^(exponent - 7)."""
    _, exponent = np.frexp(np.where(x == 0, 1.0, x))
    return np.where(x == 0, 0.0, np.ldexp(1.0, 2 * (exponent - 8)) / 12)


def attention(case: Case, q: F64, k: F64, v: F64, rounded: Collection[str], sinks: F64 | None = None) -> F64:
    """Tiled attention in float64 with the named stages rounded to bf16.

    Args:
        case: shape and machine.
        q: batch x heads x seq x head_dim.
        k, v: batch x kv_heads x kv_seq x head_dim.
        rounded: keys of `STAGES`.
        sinks: a logit a query head, or None.

    Returns:
        batch x heads x seq x head_dim.
    """

    def stage(name: str) -> Callable[[F64], F64]:
        return round_to_bf16 if name in rounded else lambda x: x

    mlen = case.hardware.mlen
    scale = stage("Qs")(np.float64(golden.softmax_scale(case.head_dim)))
    k, v = (np.repeat(tensor, case.shape.group, axis=1) for tensor in (k, v))
    # Any finite start does where a row sees nothing of its first tile; the rescale factor is then 0.
    start = np.full(case.heads, -np.inf if case.window is None else np.finfo(np.float32).min)
    m, total = (start, np.zeros(case.heads)) if sinks is None else (sinks, np.ones(case.heads))
    width = block_tiles(case)
    outputs = []
    for tile in query_tiles(case.shape, mlen):
        rows = q[:, :, tile.index * mlen :][:, :, : tile.rows]
        state = (np.broadcast_to(x[:, None, None], (*rows.shape[:3], 1)) for x in (m, total))
        outputs.append(_query_tile(tile, stage("Qs")(scale * rows), k, v, *state, mlen, width, stage))
    return np.concatenate(outputs, axis=2)


def _query_tile(
    tile: QueryTile,
    q: F64,
    k: F64,
    v: F64,
    m: F64,
    total: F64,
    mlen: int,
    width: int,
    stage: Callable[[str], Callable[[F64], F64]],
) -> F64:
    """One query tile from the running maximum `m` and sum `total`, each batch x heads x rows x 1.

    The keys come in blocks of `width` key tiles; the sum is rounded after each tile, P V after each block.
    """
    output = np.zeros_like(q)
    for block in tile.key_blocks(width):
        columns = [slice(key.index * mlen, key.index * mlen + key.keys) for key in block.tiles]
        scores = [
            np.where(_visible(tile, key), stage("S")(np.einsum("bhqd,bhkd->bhqk", q, k[:, :, part])), -np.inf)
            for key, part in zip(block.tiles, columns, strict=True)
        ]
        m_old, m = m, np.maximum(m, np.concatenate(scores, axis=-1).max(axis=-1, keepdims=True))
        rescale = stage("r")(np.exp(stage("r")(m_old - m)))
        total = stage("l")(total * rescale)
        product = np.zeros_like(q)
        for part, tile_scores in zip(columns, scores, strict=True):
            weights = stage("P")(np.exp(stage("S-m")(tile_scores - m)))
            total = stage("l")(total + weights.sum(axis=-1, keepdims=True))
            product += np.einsum("bhqk,bhkd->bhqd", weights, v[:, :, part])
        product = stage("PV")(product)
        output = product if block.first else stage("r")(stage("r")(output * rescale) + product)
    return stage("O")(output * stage("1/l")(1 / total))


def _visible(tile: QueryTile, key: KeyTile) -> NDArray[np.bool_]:
    row, column = np.indices((tile.rows, key.keys))
    visible = np.ones(row.shape, dtype=bool)
    if key.shift is not None:
        visible &= column <= row + key.shift
    return visible if key.low is None else visible & (column >= row + key.low)


def predicted_rms(case: Case, q: F64, k: F64, v: F64, sinks: F64 | None = None) -> dict[str, float]:
    """Root mean square error that the roundings should make, each alone and "all" together.

    A score's error d changes the output by p*d*(v - o) (first order), and so does a relative error of P; the
    roundings of l, PV, 1/l and O are relative errors of the output itself. All are taken as independent and
    uniform over a rounding step; the largest weight of a row is exactly 1. Left out: rescaling between tiles.
    """
    k, v = (np.repeat(tensor, case.shape.group, axis=1) for tensor in (k, v))
    scores = golden.softmax_scale(case.head_dim) * np.einsum("bhqd,bhkd->bhqk", q, k)
    visible = golden.visible_keys(case.seq, case.kv_seq, case.causal, case.window)
    scores = np.where(visible, scores, -np.inf)
    logits = np.full((case.heads, 1, 1), -np.inf) if sinks is None else sinks[:, None, None]
    maxima = np.maximum(scores.max(axis=-1, keepdims=True), logits)
    shifted = scores - maxima
    weights = np.exp(shifted)
    total = weights.sum(axis=-1, keepdims=True) + np.exp(logits - maxima)
    p = weights / total
    o = np.einsum("bhqk,bhkd->bhqd", p, v)
    spread = np.einsum("bhqk,bhkd->bhqkd", np.ones_like(p), v) - o[:, :, :, None, :]

    def through_scores(variance: F64) -> float:
        return float(np.einsum("bhqk,bhqkd->bhqd", p**2 * variance, spread**2).mean())

    finite = np.where(np.isfinite(scores), scores, 0.0)
    relative_p = np.divide(
        rounding_variance(weights),
        weights**2,
        out=np.zeros_like(weights),
        where=(weights > 0) & (weights < 1),
    )
    product = o * total
    variances = {
        "S": through_scores(rounding_variance(finite)),
        "S-m": through_scores(rounding_variance(np.where(np.isfinite(shifted), shifted, 0.0))),
        "P": through_scores(relative_p),
        "l": float((rounding_variance(total) / total**2 * o**2).mean()),
        "PV": float((rounding_variance(product) / total**2).mean()),
        "1/l": float((rounding_variance(1 / total) * product**2).mean()),
        "O": float(rounding_variance(o).mean()),
    }
    variances["all"] = sum(variances.values())
    return {name: float(np.sqrt(variance)) for name, variance in variances.items()}


def measure(case: Case, seeds: int) -> list[tuple[str, F64, F64, float | None]]:
    """Errors of each stage alone, of all together, and of the reference machine.

    Returns:
        (name, |error|, golden, predicted rms or None) with the elements of all seeds in a row.
    """
    subsets: dict[str, tuple[str, ...]] = {name: (name,) for name in STAGES}
    subsets |= {"all but S": tuple(name for name in STAGES if name != "S"), "all": tuple(STAGES)}
    errors: dict[str, list[F64]] = {name: [] for name in (*subsets, "machine")}
    goldens: list[F64] = []
    predictions: list[dict[str, float]] = []
    for seed in range(seeds):
        seeded = replace(case, seed=seed)
        inputs = draw_inputs(seeded)
        q, sinks = inputs.q, inputs.sinks
        k, v = staged_keys_and_values(seeded)
        exact = golden.attention(q, k, v, case.causal, case.window, sinks)
        goldens.append(exact.reshape(-1))
        predictions.append(predicted_rms(seeded, q, k, v, sinks))
        for name, rounded in subsets.items():
            errors[name].append(np.abs(attention(seeded, q, k, v, rounded, sinks) - exact).reshape(-1))
        workload = build(seeded)
        machine = Machine(seeded.hardware, workload.images, workload.limit, all_instructions=True)
        machine.run(workload.words)
        got = result_values(workload, machine.images.vram).transpose(0, 2, 1, 3)
        errors["machine"].append(np.abs(got - exact).reshape(-1))
    every = np.concatenate(goldens)
    rows = []
    for name, parts in errors.items():
        key = "all" if name == "machine" else name
        known = [prediction[key] for prediction in predictions if key in prediction]
        predicted = float(np.sqrt(np.mean(np.square(known)))) if known else None
        rows.append((name, np.concatenate(parts), every, predicted))
    return rows


def report(case: Case, seeds: int, console: Console, tolerance: Tolerance = STRICT) -> None:
    """Print the table of one case."""
    table = Table(title=f"{case.name}, {seeds} seeds, sigma {case.sigma}", title_justify="left")
    for column in (
        "rounded to bf16",
        "rms error",
        "predicted",
        "maximum",
        "misses per million at 0.02",
        "match %",
    ):
        table.add_column(column, justify="left" if column.startswith("rounded") else "right")
    for name, error, exact, predicted in measure(case, seeds):
        misses = float((error > tolerance.atol + tolerance.rtol * np.abs(exact)).mean())
        table.add_row(
            name,
            f"{np.sqrt((error**2).mean()):.5f}",
            "" if predicted is None else f"{predicted:.5f}",
            f"{error.max():.4f}",
            f"{1e6 * misses:.0f}",
            f"{100 * (1 - misses):.4f}",
        )
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="where the error of an attention case comes from")
    parser.add_argument("cases", nargs="*", default=[name for name in CASES if name != "mha"])
    parser.add_argument("--seeds", type=int, default=20, help="how many data sets (default 20)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="override a case's field"
    )
    options = parser.parse_args(arguments)
    try:
        overrides = dict(item.split("=", 1) for item in options.set)
        chosen = [CASES[name].override(**overrides) for name in options.cases]
    except (KeyError, ValueError, CaseError) as error:
        parser.error(str(error))
    console = Console(width=110)
    for case in chosen:
        report(case, options.seeds, console)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
