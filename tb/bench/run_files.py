"""The files of a run's folder; docs/bench.md lists them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from plena_ref.isa.listing import numbered
from plena_ref.isa.machine_code import write_program
from plena_ref.machine import image_files as images
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.accuracy import result_values
from tb.bench import run_page
from tb.bench.case_runner import CaseOutcome
from tb.bench.options import RunOptions
from tb.runs import contents, tensor_files
from tb.runs.record import Record, Settings

#: The retired instructions: uint32[n, 3] of pc, word and cycle.
TRACE = "trace.npy"


@dataclass(frozen=True)
class Asked:
    """What was typed: the case with its options, and how to run it."""

    command: str
    run: RunOptions


def leave(folder: Path, runs: Path, asked: Asked, outcome: CaseOutcome) -> None:
    """Leave the outcome in its folder for people and for programs; memories share the contents in `runs`."""
    workload, got = outcome.workload, outcome.got
    (folder / "program.lst").write_text(numbered(workload.listing, workload.words))
    write_program(folder / "program.mem", workload.words)
    staged = images.used_bytes(workload.images)
    images.write(folder / "images", workload.images, staged)
    images.write(folder / "dumps", got.images, max(staged, got.hbm_high_water + 1))
    for name in ("images", "dumps"):
        for file in (folder / name).iterdir():
            contents.share(file, runs)
    tensor_files.leave(folder, workload.tensors, got.images, _judged(outcome))
    if got.trace is not None:
        np.save(folder / TRACE, got.trace)
    record(folder, asked, outcome).write()
    text = StringIO()
    outcome.print(Console(file=text, width=110))
    (folder / "report.txt").write_text(text.getvalue(), encoding="utf-8")
    (folder / "report.html").write_text(run_page.page(outcome, asked.command), encoding="utf-8")
    (folder / "result.json").write_text(json.dumps(outcome.to_json(), indent=2) + "\n")


def _judged(outcome: CaseOutcome) -> dict[str, NDArray[np.float64]]:
    """Golden, result, bounds, and what the roundings make of the data; batch x seq x heads x head_dim."""
    workload = outcome.workload
    result = result_values(workload, outcome.got.images.vram)
    judged = {"golden": workload.golden, "result": result}
    if workload.interval is not None:
        judged |= dict(zip(("lower_bound", "upper_bound"), workload.interval, strict=True))
    if workload.modelled is not None:
        judged["modelled"] = workload.modelled
    return judged


def record(folder: Path, asked: Asked, outcome: CaseOutcome) -> Record:
    """The run as `run.json` holds it."""
    workload, case = outcome.workload, outcome.case
    settings = Settings(
        command=asked.command,
        test=case.name,
        problem=case.problem.describe(),
        kernel=case.kernel,
        simulator=outcome.simulator,
        seed=case.seed,
        limit=workload.limit,
        latency=asked.run.latency,
        jitter=asked.run.jitter,
        beats=str(asked.run.beats),
        x_seed=asked.run.x_seed,
        poison={memory: f"{MemoryImages.poison(memory):X}" for memory in images.MEMORIES},
    )
    return Record(
        folder=folder,
        settings=settings,
        hardware=workload.hardware,
        tolerance=workload.tolerance,
        outputs=workload.outputs,
        scratch=workload.scratch,
        comparison=workload.comparison,
        head_cols=workload.head_cols,
        integers=dict(workload.integers),
        tensors=workload.tensors,
    )
