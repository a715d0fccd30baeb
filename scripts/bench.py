"""Measure machine and bench: ``python -m scripts.bench [machine] [bandwidth] [bench] [speed] [model]``.

Writes build/bench.json. Cycle counts are exact. Times are wall clock; a rate or a start-up time is the best
of some runs: other work on the host only ever adds to it. Builds start from an empty folder and without a
compiler cache. Exits 1 when a figure misses its target, 2 when one could not be measured.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction

from rich.console import Console
from rich.table import Table

from plena_ref.analysis import cycle_bound
from plena_ref.machine.hardware import Hardware
from plena_ref.models.checkpoint import ModelFileError
from scripts import simulation_speed
from scripts.pass_cycles import run_pass
from tb.bench import command, harness, options
from tb.bench.harness import JobResult
from tb.engine import environment, processes, simulate
from tb.system import cycles

#: The version of the form of ``bench.json``.
SCHEMA = 1
#: Cycles that a simulation runs when its speed is measured, in whole runs of the program, at least two.
RATE_CYCLES = 100_000
_FOLDER = simulate.BUILD / "bench"
#: What a build may take: the same one took 23.0 and 30.3 s on two days, so a third is room for the host.
_BUILD_SECONDS = 40
#: Cycles a second of a small machine: the same models gave 421,000 to 558,000 on five days.
_SMALL_RATE = 400_000
#: How far the ratio of two best runs of the same speed may lie below 1 by chance.
_SAME_SPEED = 0.97

_TILES = "TEST=mha_causal_tiles"
_PLAIN = "KERNEL=plain_attention"
#: Multi-head attention in the plain form of docs/isa.md, at MLEN 64, BLEN 16: what compilers emit.
PLAIN = tuple(
    f"TEST=mha SEQ={seq} CAUSAL={causal} HEADS={heads} HEAD_DIM={head_dim} {_PLAIN}"
    for seq in (64, 128, 256)
    for causal in (0, 1)
    for heads, head_dim in ((2, 64), (1, 128))
)
#: The same with sequences and heads that fill no tile, at MLEN 16 and 32.
RAGGED = tuple(
    f"TEST=mha MLEN={mlen} BLEN={blen} SEQ={seq} CAUSAL={causal} HEADS=2 HEAD_DIM={head_dim} {_PLAIN}"
    for mlen, blen in ((16, 4), (32, 8))
    for seq, head_dim in ((20, 24), (37, 40))
    for causal in (0, 1)
)
#: What memory may bind: name, test, and how near its bound it must come at 64, 32 and 16 bytes a cycle.
MEMORY_BOUND = (
    ("attention, causal, seq 256", f"{_TILES} SEQ=256", (1.20, 1.30, 1.55)),
    ("linear", "TEST=linear", (1.03, 1.06, 1.12)),
    (
        "decode, 9 heads over 3, 1,024 keys",
        "TEST=mha SEQ=1 KV_SEQ=1024 HEADS=9 KV_HEADS=3 CAUSAL=1 KERNEL=decode_attention",
        (1.06, 1.04, 1.03),
    ),
)
#: Cycles that programs at MLEN 64, BLEN 16 may take, by their options.
MOST_CYCLES = {
    f"{_TILES} SEQ=64": 1_150,
    f"{_TILES} SEQ=128": 2_300,
    f"{_TILES} SEQ=256": 5_900,
    f"{_TILES} SEQ=512": 20_000,
    f"{_TILES} SEQ=1024": 74_000,
    f"{_TILES} SEQ=256 CAUSAL=0": 9_000,
    f"{_TILES} SEQ=64 HEADS=9 KV_HEADS=3": 8_000,
    f"{_TILES} SEQ=128 HEADS=9 KV_HEADS=3": 18_000,
    "TEST=decode_batch BATCH=1 HEADS=9 KV_HEADS=3 KV_SEQ=1024": 8_900,
    "TEST=linear BATCH=1 SEQ=16 IN_FEATURES=576 OUT_FEATURES=1536": 16_350,
}
#: What others publish about PLENA_RTL, the machine's first public RTL; not measured here.
PUBLISHED = (
    ("shape", "MLEN 8 only, one tile, batch 1"),
    ("array use in a linear layer", "about 18 %"),
    ("tests", "about six minutes each on 64 cores"),
)


@dataclass(frozen=True)
class Figure:
    """One measured number, its unit, and the bound it has to keep (from below or above)."""

    name: str
    value: float
    unit: str
    bound: float
    at_most: bool

    @property
    def good(self) -> bool:
        """The bound is kept."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound


# The machine: cycles


def _cycles_an_instruction(entries: Iterable[str], width: int) -> float:
    """Geometric mean over programs with one or two dispatches a cycle."""
    counts = cycles.measure(f"{entry} DISPATCH_WIDTH={width}" for entry in entries)
    return statistics.geometric_mean(count["cycles"] / count["instructions"] for count in counts.values())


def array_use(test: str) -> float:
    """Percent of the array's multiply-accumulates over a whole run, start and drain included."""
    workload, job = cycles.prepare(f"TEST={test}")
    hw = workload.case.hardware
    result = harness.run(hw, [job], "verilator").jobs[0]
    return 100 * result.counters.totals["macs"] / (hw.mlen * hw.blen * result.cycles)


def machine_figures() -> Iterator[Figure]:
    """Cycle counts of the plain form, of our kernels, and the use of the array."""
    for width, plain, ragged in ((1, 1.15, 1.25), (2, 0.9, 1.15)):
        name = f"plain form, {width} a cycle"
        yield Figure(name, _cycles_an_instruction(PLAIN, width), "cycles/instr.", plain, True)
        yield Figure(f"{name}, ragged", _cycles_an_instruction(RAGGED, width), "cycles/instr.", ragged, True)
    counts = cycles.measure([*MOST_CYCLES, *(f"{_TILES} SEQ={seq} {_PLAIN}" for seq in (128, 256))])
    for entry, most in MOST_CYCLES.items():
        yield Figure(entry.removeprefix("TEST="), counts[entry]["cycles"], "cycles", most, True)
    for seq in (128, 256):
        own, other = f"{_TILES} SEQ={seq}", f"{_TILES} SEQ={seq} {_PLAIN}"
        share = 100 * counts[own]["cycles"] / counts[other]["cycles"]
        yield Figure(f"attention, causal, seq {seq}, of the plain form", share, "%", 60, True)
    for test in ("linear", "linear_16x4"):
        yield Figure(f"{test}: multiply-accumulates of the peak", array_use(test), "%", 95, False)


def bandwidth_figures() -> Iterator[Figure]:
    """Cycles of the bound on memories of 64, 32 and 16 bytes a cycle, in each direction."""
    for name, test, bounds in MEMORY_BOUND:
        workload, job = cycles.prepare(test)
        rates = (Fraction(1), Fraction(1, 2), Fraction(1, 4))
        hw, jobs = workload.case.hardware, [replace(job, beats=rate) for rate in rates]
        results = harness.run(hw, jobs, "verilator").jobs
        for rate, limit, result in zip(rates, bounds, results, strict=True):
            share = result.cycles / cycle_bound.bound(result.counters.totals, hw, rate).cycles
            yield Figure(f"{name}, BEATS={rate}: {result.cycles:,} cycles", share, "of bound", limit, True)


def model_figures() -> Iterator[Figure]:
    """Cycles of the passes of SmolLM2-135M, of what their weights take at 64 bytes a cycle."""
    for name, rows, position, bound in (
        ("prefill of 16 tokens", 16, 0, 1.15),
        ("decode at position 16", 1, 16, 1.10),
    ):
        done = run_pass(rows, position)
        yield Figure(f"SmolLM2-135M, {name}", done.result.cycles / done.bound, "of bound", bound, True)


# The bench: seconds


def rate(results: Iterable[JobResult]) -> float:
    """Simulated cycles a second of the fastest of some runs."""
    return max(result.cycles / result.seconds for result in results)


def _rate_figure(test: str, bound: float) -> Figure:
    workload, job = cycles.prepare(f"TEST={test}")
    hw = workload.case.hardware
    once = cycles.measure([f"TEST={test}"])[f"TEST={test}"]["cycles"]
    jobs = harness.run(hw, [job] * max(2, RATE_CYCLES // once), "verilator").jobs
    name = f"{test.split()[0]} (MLEN {hw.mlen}, BLEN {hw.blen})"
    return Figure(name, rate(jobs), "cycles/s", bound, False)


def _run_case(*arguments: str) -> tuple[float, dict[str, float]]:
    """Run a case as one types it, in a folder of its own; its wall-clock seconds and its result.json.

    Raises:
        CommandError: the case did not pass.
    """
    made = environment.of_command(simulate.REPO, {"PLENA_BUILD": str(_FOLDER)})
    line = [sys.executable, "-m", "scripts.run_case", *arguments, "SIM=verilator"]
    started = time.monotonic()
    processes.output(line, simulate.REPO, made)
    seconds = time.monotonic() - started
    test = arguments[0].removeprefix("TEST=")
    result: dict[str, float] = json.loads((_FOLDER / "runs" / test / "result.json").read_text())
    return seconds, result


def _import_seconds() -> float:
    """Wall-clock seconds of a Python that imports the packages of a run and ends: the host's own speed."""
    started = time.monotonic()
    line = [sys.executable, "-c", "import cocotb, ml_dtypes, numpy, rich.console, rich.table"]
    processes.output(line, simulate.REPO, environment.made())
    return time.monotonic() - started


def bench_figures() -> Iterator[Figure]:
    """Build times, a run from the cache, and simulation speeds."""
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _, first = _run_case("TEST=mha_batch2")
    yield Figure("build, MLEN 64, BLEN 16", first["build_seconds"], "s", _BUILD_SECONDS, True)
    again, imports = zip(*((_run_case("TEST=mha_batch2"), _import_seconds()) for _ in range(3)), strict=True)
    yield Figure("mha_batch2 from the cache", min(seconds for seconds, _ in again), "s", 3, True)
    outside = min(seconds - result["sim_seconds"] for seconds, result in again) / min(imports)
    name = "mha_batch2 from the cache, outside of the simulation, by the imports of its packages"
    yield Figure(name, outside, "times", 5, True)
    large = Hardware(256, 64)
    seconds, result = _run_case("TEST=mha", f"MLEN={large.mlen}", f"BLEN={large.blen}", "SEQ=64")
    yield Figure("build, MLEN 256, BLEN 64", result["build_seconds"], "s", _BUILD_SECONDS, True)
    yield Figure("mha, seq 64, there, after the build", seconds - result["build_seconds"], "s", 60, True)
    shutil.rmtree(_FOLDER)
    yield _rate_figure("mha_causal_tiles", 100_000)
    yield _rate_figure("linear", 45_000)
    yield _rate_figure("mha_causal_tiles MLEN=16 BLEN=4", _SMALL_RATE)
    yield _rate_figure("mha_ragged", _SMALL_RATE)
    yield _rate_figure("linear_16x4", 300_000)


def speed_figures() -> Iterator[Figure]:
    """Simulated cycles a second by those of the tree before attention at length, in one run."""
    for speed in simulation_speed.measure():
        name = f"{speed.program.removeprefix('TEST=')}: cycles/s by those of {simulation_speed.COMMIT}"
        yield Figure(name, speed.ratio, "times", _SAME_SPEED, False)


def to_json(figures: Iterable[Figure]) -> dict[str, object]:
    """The contents of ``bench.json`` (docs/result.md)."""
    return {
        "schema": SCHEMA,
        "host": _host(),
        "figures": [{**asdict(figure), "good": figure.good} for figure in figures],
    }


def _host() -> dict[str, str | int | float]:
    """Architecture, cores that this process may use, and load of the host."""
    cores, load = len(os.sched_getaffinity(0)), round(os.getloadavg()[0], 2)
    return {"machine": platform.machine(), "cores": cores, "load": load}


def _show(figures: Iterable[Figure]) -> Table:
    host = _host()
    title = f"{host['machine']}, {host['cores']} cores, load {host['load']:.1f}"
    table = Table(title=title, title_justify="left")
    for column in ("figure", "measured", "target", ""):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for figure in figures:
        digits = {"s": 1, "%": 1, "cycles/instr.": 3, "of bound": 3, "times": 2}.get(figure.unit, 0)
        sign = "at most" if figure.at_most else "at least"
        table.add_row(
            figure.name,
            f"{figure.value:,.{digits}f} {figure.unit}",
            f"{sign} {figure.bound:,g} {figure.unit}",
            "ok" if figure.good else "MISSED",
        )
    return table


#: The parts, by the name that the command line takes.
PARTS = {
    "machine": machine_figures,
    "bandwidth": bandwidth_figures,
    "bench": bench_figures,
    "speed": speed_figures,
    "model": model_figures,
}


def main(arguments: Sequence[str]) -> int:
    """Measure the named parts, or all; print, and write the JSON file."""
    unknown = [name for name in arguments if name not in PARTS]
    if unknown:
        return options.fail(f"unknown part {unknown[0]}; there are {', '.join(PARTS)}")
    try:
        if "speed" in (arguments or PARTS):
            simulation_speed.find()  # before minutes go into the other parts
        figures = [figure for name in arguments or PARTS for figure in PARTS[name]()]
    except (RuntimeError, ModelFileError, cycles.CyclesError) as error:
        return options.fail(error)
    console = Console(width=max(110, shutil.get_terminal_size().columns))
    console.print(_show(figures))
    console.print(
        "PLENA_RTL as published, not measured here:",
        *(f"  {what}: {text}" for what, text in PUBLISHED),
        sep="\n",
    )
    simulate.BUILD.mkdir(exist_ok=True)
    (simulate.BUILD / "bench.json").write_text(json.dumps(to_json(figures), indent=2) + "\n")
    return 0 if all(figure.good for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
