"""Where the error of a case comes from: `python -m plena_ref.error_analysis --help`.

The model of the roundings with each of them alone and all together, the reference machine's own error beside
it, and the closed form. Explained in docs/accuracy.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from plena_ref.analysis.roundings import sum_of
from plena_ref.machine.reference import Machine
from plena_ref.verdict.accuracy import result_values
from plena_ref.verdict.tolerance import STRICT, Tolerance
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case
from plena_ref.workloads.registry import CASES

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """The errors that some of the roundings make.

    Attributes:
        name: which: a stage, `all but S`, `all`, or `machine` for the reference machine.
        error, exact: |error| and golden of the elements of all seeds, in a row.
        predicted: the closed form's rms error, where it has one.
    """

    name: str
    error: F64
    exact: F64
    predicted: float | None


def _subsets(stages: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Each stage alone, all but the scores where there are scores, and all."""
    subsets: dict[str, tuple[str, ...]] = {name: (name,) for name in stages}
    if "S" in stages:
        subsets["all but S"] = tuple(name for name in stages if name != "S")
    return {**subsets, "all": tuple(stages)}


def _machine_result(case: Case) -> F64:
    workload = build(case)
    machine = Machine(case.hardware, workload.images, workload.limit)
    machine.run(workload.words)
    return result_values(workload, machine.images.vram)


def measure(case: Case, seeds: int) -> list[Errors]:
    """Errors of each stage alone, of all but S, of all together, and of the reference machine."""
    errors: dict[str, list[F64]] = {}
    exact: list[F64] = []
    mean_squares: dict[str, list[float]] = {}
    for seed in range(seeds):
        seeded = replace(case, seed=seed)
        roundings = seeded.problem.roundings(seeded)
        exact.append(roundings.exact.reshape(-1))
        results = {
            name: roundings.rounded(stages) for name, stages in _subsets(list(roundings.stages)).items()
        }
        results["machine"] = _machine_result(seeded)
        for name, result in results.items():
            errors.setdefault(name, []).append(np.abs(result - roundings.exact).reshape(-1))
        variances = roundings.variances()
        variances["all"] = variances["machine"] = sum_of(variances.values())
        for name, variance in variances.items():
            mean_squares.setdefault(name, []).append(float(variance.mean()))
    every = np.concatenate(exact)
    return [
        Errors(
            name,
            np.concatenate(parts),
            every,
            float(np.sqrt(np.mean(mean_squares[name]))) if name in mean_squares else None,
        )
        for name, parts in errors.items()
    ]


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
    for errors in measure(case, seeds):
        bound = tolerance.atol + tolerance.rtol * np.abs(errors.exact)
        misses = float((errors.error > bound).mean())
        table.add_row(
            errors.name,
            f"{np.sqrt((errors.error**2).mean()):.5f}",
            "" if errors.predicted is None else f"{errors.predicted:.5f}",
            f"{errors.error.max():.4f}",
            f"{1e6 * misses:.0f}",
            f"{100 * (1 - misses):.4f}",
        )
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 2 and one line of reason where it cannot be understood or a case has no model."""
    parser = argparse.ArgumentParser(description="where the error of a case comes from")
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--seeds", type=int, default=20, help="how many data sets (default 20)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="override a case's field"
    )
    options = parser.parse_args(arguments)
    try:
        unknown = [name for name in options.cases if name not in CASES]
        if unknown:
            raise CaseError(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}")
        if options.seeds < 1:
            raise CaseError(f"--seeds must be at least 1 (got {options.seeds})")
        overrides = dict(item.split("=", 1) for item in options.set)
        chosen = [CASES[name].override(**overrides) for name in options.cases]
        for case in chosen:
            case.problem.roundings(case)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    console = Console(width=110)
    for case in chosen:
        report(case, options.seeds, console)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
