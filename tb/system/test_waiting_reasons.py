"""Counters of waiting: directed programs in which one reason must dominate, and faults in the attribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from plena_ref.isa.counters import DISPATCH, QUEUE
from tb.bench.harness import Job, JobResult, run
from tb.engine import simulate
from tb.mutants.table import Mutant, read_mutants
from tb.mutants.trial import tree_with
from tb.system.equivalence import DIRECTED, bounded, random_images
from tb.system.instruction_work import check_against_trace
from tb.system.waiting_programs import PROGRAMS, SETUP, Program

#: States in which a unit does not wait.
NOT_WAITING = {"one", "two", "issue", "empty"}


def misattributed(results: dict[str, JobResult]) -> list[str]:
    """One line for each program whose reason does not dominate as it must."""
    found = []
    for name, result in results.items():
        program = PROGRAMS[name]
        states = getattr(result.counters, program.unit)
        waiting = sum(count for state, count in states.items() if state not in NOT_WAITING)
        if program.unit == "dispatch" and program.reason != "drain":
            waiting -= states["drain"]
        got = states[program.reason]
        if got < program.most * waiting or got < program.share * result.cycles:
            found.append(f"{name}: {program.reason} {got} of {waiting} waiting in {result.cycles}: {states}")
        if program.exact is not None and got != program.exact:
            found.append(f"{name}: {program.reason} {got}, exactly {program.exact} wanted: {states}")
    return found


def run_programs(
    names: list[str],
    simulator: str | None = None,
    root: Path = simulate.REPO,
    programs: Mapping[str, Program] = MappingProxyType(PROGRAMS),
) -> dict[str, JobResult]:
    """Run programs of the table one after another in one simulation."""
    images = random_images(DIRECTED, 9, special_share=0.0)
    jobs: list[Job] = []
    for name in names:
        program = replace(programs[name], setup=SETUP + "\n" + programs[name].setup)
        jobs.append(
            bounded(
                program.words,
                images,
                latency=program.latency,
                reset=not jobs,
                trace=True,
            )
        )
    return dict(zip(names, run(DIRECTED, jobs, simulator, root=root).jobs, strict=True))


def test_every_reason_is_attributed_right() -> None:
    results = run_programs(list(PROGRAMS))
    for name, result in results.items():
        assert result.status == "stopped", name
        check_against_trace(name, result, DIRECTED)
    assert misattributed(results) == []


def test_every_reason_has_a_program() -> None:
    reasons = {program.reason for program in PROGRAMS.values()}
    assert reasons >= {counter.name for counter in (*DISPATCH, *QUEUE)} - NOT_WAITING


#: Named faults; the reason is a part of what the check says.
FAULTS = read_mutants(Path(__file__).with_name("counter_faults.toml"), "reasons")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_wrong_reason_is_caught(fault: Mutant) -> None:
    """On Icarus, which compiles a faulty copy in a few seconds; without the fault the program passes."""
    simulate.require("icarus")
    with tree_with(fault) as root:
        found = misattributed(run_programs([fault.case], "icarus", root))
    assert found and fault.reason in found[0], found
