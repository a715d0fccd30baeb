"""Where the error of the attention kernel comes from: `python -m plena_ref.error_analysis --help`.

The model of the roundings with each of them alone and all together, the reference machine's own error beside
it, and the closed form. Explained in docs/accuracy.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from rich.console import Console
from rich.table import Table

from plena_ref.analysis.error_prediction import rounding_variances
from plena_ref.analysis.rounding_model import F64, STAGES, attention
from plena_ref.golden import attention as golden
from plena_ref.machine.reference import Machine
from plena_ref.verdict.compare import result_values
from plena_ref.workloads.cases import (
    CASES,
    STRICT,
    Case,
    CaseError,
    Tolerance,
    build,
    draw_inputs,
    staged_keys_and_values,
)


def measure(case: Case, seeds: int) -> list[tuple[str, F64, F64, float | None]]:
    """Errors of each stage alone, of all but S, of all together, and of the reference machine.

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
        variances = rounding_variances(seeded, q, k, v, sinks)
        variances["all"] = sum(variances.values())
        predictions.append({stage: float(variance.mean()) for stage, variance in variances.items()})
        for name, rounded in subsets.items():
            errors[name].append(np.abs(attention(seeded, q, k, v, rounded, sinks) - exact).reshape(-1))
        workload = build(seeded)
        machine = Machine(seeded.hardware, workload.images, workload.limit)
        machine.run(workload.words)
        got = result_values(workload, machine.images.vram).transpose(0, 2, 1, 3)
        errors["machine"].append(np.abs(got - exact).reshape(-1))
    every = np.concatenate(goldens)
    rows = []
    for name, parts in errors.items():
        key = "all" if name == "machine" else name
        known = [prediction[key] for prediction in predictions if key in prediction]
        predicted = float(np.sqrt(np.mean(known))) if known else None
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


#: What is analysed unless cases are named.
ATTENTION_CASES = [name for name, case in CASES.items() if name != "mha" and not case.linear]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="where the error of an attention case comes from")
    parser.add_argument("cases", nargs="*", default=ATTENTION_CASES)
    parser.add_argument("--seeds", type=int, default=20, help="how many data sets (default 20)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="override a case's field"
    )
    options = parser.parse_args(arguments)
    try:
        overrides = dict(item.split("=", 1) for item in options.set)
        chosen = [CASES[name].override(**overrides) for name in options.cases]
        if any(case.linear for case in chosen):
            raise CaseError("a linear layer is no attention")
    except (KeyError, ValueError, CaseError) as error:
        parser.error(str(error))
    console = Console(width=110)
    for case in chosen:
        report(case, options.seeds, console)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
