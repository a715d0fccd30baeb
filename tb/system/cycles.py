"""The committed table of cycle counts, and how its entries are measured; `make cycles` rewrites it.

`tb/system/cycles.json` maps what one types after `make sim` to the cycles and completed instructions of the
run on Verilator. Its test (tb/system/test_cycles.py) wants every number to be exact, so that a change of
speed is a visible difference in a commit.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable

from plena_ref.machine.hardware import Hardware
from plena_ref.workloads.base import CaseError, Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES
from tb.bench import harness, options
from tb.bench.harness import Job
from tb.engine import simulate

#: The committed table.
TABLE = simulate.REPO / "tb" / "system" / "cycles.json"

#: Sequences of `mha_causal_tiles` (128, causal) on which the plain form is measured.
PLAIN_SEQUENCES = ("", " CAUSAL=0", " SEQ=64", " SEQ=64 CAUSAL=0", " SEQ=256", " SEQ=256 CAUSAL=0")

#: What the table holds besides the registered cases, as `make sim` options.
VARIANTS = (
    "TEST=mha_causal_tiles LATENCY=1",
    "TEST=mha_causal_tiles JITTER=64",
    "TEST=mha_causal_tiles SEQ=256",
    *(f"TEST=mha_causal_tiles KERNEL=plain_attention{rest}" for rest in PLAIN_SEQUENCES),
    "TEST=mha_causal_tiles KERNEL=plain_attention_element_offsets",
    "TEST=mha_batch2 SEQ=64 CAUSAL=1",
    "TEST=mha_ragged JITTER=64",
    "TEST=mha_ragged KERNEL=plain_attention",
    "TEST=mha_ragged KERNEL=plain_attention SEQ=70",
    "TEST=mha_ragged KERNEL=plain_attention DISPATCH_WIDTH=1",
)

#: Cycles and completed instructions by entry.
Counts = dict[str, dict[str, int]]


class CyclesError(RuntimeError):
    """An entry could not be measured; the message names it."""


def entries() -> list[str]:
    """Every entry that the table must hold, in its order: the registered cases, then the variants."""
    return [f"TEST={name}" for name in CASES if name != "mha"] + list(VARIANTS)


def prepare(entry: str, trace: bool = False) -> tuple[Workload, Job]:
    """Build the program and the job of an entry.

    Raises:
        CyclesError: the entry names no case or breaks a rule.
    """
    try:
        given = options.parse(entry.split())
        name = given.pop("TEST")
        latency = options.take_integer(given, "LATENCY", harness.DEFAULT_LATENCY, 1, 65535)
        jitter = options.take_integer(given, "JITTER", 0, 0, 255)
        beats = options.take_beats(given)
        workload = build(CASES[name].override(**given))
    except (KeyError, CaseError, options.UsageError) as error:
        raise CyclesError(f"{entry}: {error}") from None
    timing = (latency, jitter, workload.case.seed)
    return workload, Job(workload.words, workload.images, workload.limit, *timing, trace=trace, beats=beats)


def measure(chosen: Iterable[str]) -> Counts:
    """Run entries on Verilator, those of one machine in one simulation, and return their counts.

    Raises:
        CyclesError: an entry names no case, breaks a rule, or its program does not stop normally.
    """
    jobs: dict[Hardware, list[tuple[str, Job]]] = defaultdict(list)
    counts: Counts = {}
    for entry in chosen:
        workload, job = prepare(entry)
        jobs[workload.case.hardware].append((entry, job))
        counts[entry] = {}
    for hw, group in jobs.items():
        results = harness.run(hw, [job for _, job in group], "verilator").jobs
        for (entry, _), result in zip(group, results, strict=True):
            if result.status != "stopped":
                raise CyclesError(f"{entry}: {result.status} {result.cause or ''} at pc {result.pc}")
            counts[entry] = {"cycles": result.cycles, "instructions": result.instructions}
    return counts


def read() -> Counts:
    """The committed table."""
    result: Counts = json.loads(TABLE.read_text())
    return result


def to_text(counts: Counts) -> str:
    """The table as JSON, one line an entry."""
    lines = [f"  {json.dumps(entry)}: {json.dumps(numbers)}" for entry, numbers in counts.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"
