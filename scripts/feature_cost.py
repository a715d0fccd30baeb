"""What each feature of the bench costs: ``python -m scripts.feature_cost``. Prints a table of ratios.

One case runs with one feature changed at a time, all in one go on one machine; a time is the best of some
runs, relative to the ordinary run of the same go. docs/bench.md holds the table.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from rich.console import Console
from rich.table import Table

from plena_ref.machine.reference import Machine
from plena_ref.verdict import compare
from plena_ref.workloads.base import Workload
from tb.bench import command, harness, options
from tb.bench.harness import Job, JobResult
from tb.engine import simulate
from tb.mutants import trial as mutants
from tb.mutants.table import Mutant
from tb.system import cycles

CASE = "TEST=mha_ragged"
REPEATS = 20
_FOLDER = simulate.BUILD / "feature_cost"
#: Modules whose signals become public. With all modules, array and arithmetic among them, g++ does not end.
_PUBLIC = ("plena_core", "frontend", "scoreboard", "matrix_unit", "vector_unit", "float_unit", "hbm_unit")


def _change(name: str, file: str, old: str, new: str) -> Mutant:
    """A change of the RTL that no case needs to notice."""
    return Mutant(name, file, old, new, case="", reason="")


#: The counters never count: Verilator removes them with all that feeds them.
_NO_COUNTERS = _change(
    "no counters", "rtl/frontend/perf_counters.sv", "running_q <= running && !rst;", "running_q <= 1'b0;"
)
#: The assertions of the RTL as synthesis sees them: none.
_NO_ASSERTIONS = _change("no assertions", "rtl/assertions.svh", "`ifdef SYNTHESIS\n", "`ifndef SYNTHESIS\n")


@dataclass(frozen=True)
class Cost:
    """One way of running the case: seconds and cycles from start to stop, bytes of the model."""

    name: str
    seconds: float
    cycles: int
    bytes: int


def _run(name: str, model: simulate.Model, workload: Workload, job: Job) -> tuple[Cost, JobResult]:
    folder = _FOLDER / name.replace(" ", "_")
    result = harness.run_model(folder, workload.case.hardware, [job] * REPEATS, model)
    best = min(result.jobs, key=lambda one: one.seconds)
    size = model.executable.stat().st_size
    return Cost(name, best.seconds, best.cycles, size), best


def _comparison_seconds(workload: Workload, got: JobResult) -> tuple[float, float]:
    """Seconds of the reference machine, and of comparing everything with it and with the golden."""
    machine = Machine(workload.case.hardware, workload.images.copy(), workload.limit)
    started = time.perf_counter()
    report = machine.run(workload.words)
    middle = time.perf_counter()
    compare.compare(workload, got.images, machine.images, got.registers, report.registers)
    return middle - started, time.perf_counter() - middle


def measure() -> tuple[list[Cost], dict[str, float]]:
    """Every way of running the case, the ordinary one first, and the seconds of the comparison's parts."""
    workload, job = cycles.prepare(CASE)
    hw = workload.case.hardware
    models: dict[str, Callable[[], simulate.Model]] = {
        "ordinary": lambda: harness.build(hw, "verilator"),
        "waves": lambda: harness.build(hw, "verilator", waves=True),
        "coverage of lines": lambda: harness.build(hw, "verilator", coverage=True),
        "signals of core and units public": lambda: harness.build(
            hw, "verilator", public=[f"{module}.*" for module in _PUBLIC]
        ),
    }
    costs = []
    for name, build in models.items():
        model = build()
        cost, got = _run(name, model, workload, job)
        costs.append(cost)
        if name == "ordinary":
            reference, comparison = _comparison_seconds(workload, got)
            pauses = replace(job, jitter=64)
            costs.append(_run("back-pressure (JITTER=64)", model, workload, pauses)[0])
            trace = replace(job, trace=True)
            costs.append(_run("trace of instructions", model, workload, trace)[0])
    for name, fault in (("without counters", _NO_COUNTERS), ("without assertions", _NO_ASSERTIONS)):
        with mutants.tree_with(fault, quick=False) as root:
            costs.append(_run(name, harness.build(hw, "verilator", root=root), workload, job)[0])
    return costs, {"reference machine": reference, "comparison": comparison}


def main(arguments: list[str]) -> int:
    """Measure and print."""
    options.refuse_all(arguments)
    shutil.rmtree(_FOLDER, ignore_errors=True)
    try:
        costs, parts = measure()
    except (simulate.SimulationError, cycles.CyclesError, mutants.MutantError) as error:
        return options.fail(error)
    finally:
        shutil.rmtree(_FOLDER, ignore_errors=True)
    base = costs[0]
    table = Table(title=f"{CASE}, {base.cycles} cycles, {base.cycles / base.seconds:,.0f} cycles/s")
    for column in ("", "time a cycle", "cycles", "model size"):
        table.add_column(column, justify="right" if column else "left")
    for cost in costs:
        slower = (cost.seconds / cost.cycles) / (base.seconds / base.cycles)
        table.add_row(
            cost.name,
            f"{slower:.2f}",
            f"{cost.cycles / base.cycles:.3f}",
            f"{cost.bytes / base.bytes:.2f}",
        )
    console = Console(width=max(100, shutil.get_terminal_size().columns))
    console.print(table)
    for name, seconds in parts.items():
        console.print(f"{name}: {seconds:.3f} s, {seconds / base.seconds:.2f} of the simulation")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
