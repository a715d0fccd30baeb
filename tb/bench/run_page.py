"""The page of a run, `report.html`: what the outcome of a case says, part by part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.attention import visible_keys
from plena_ref.workloads.attention import Attention
from plena_ref.workloads.build import place
from tb.bench import utilisation
from tb.bench.case_runner import CaseOutcome
from tb.bench.diagnose import errors_of, listing_of
from tb.report import cycles, error_maps, listing_heat, mask_grid, memory_map, run_page


def page(outcome: CaseOutcome, command: str, more: Sequence[str] = ()) -> str:
    """The page.

    Args:
        outcome: of the run.
        command: what one types to make it again.
        more: reasons for which somebody else did not let it pass.
    """
    passed = outcome.passed and not more
    title = f"{outcome.case.name}: {'PASS' if passed else 'FAIL'}"
    parts = [
        _verdict(outcome, command, passed, more),
        run_page.cause(outcome.account),
        run_page.batches(outcome.verdict.batches),
        _errors(outcome),
        run_page.stages(outcome.stages),
        _mask(outcome),
        _cycles(outcome),
        memory_map.section_of(outcome.workload.tensors),
        _listing(outcome),
    ]
    return run_page.page(title, parts)


def _verdict(outcome: CaseOutcome, command: str, passed: bool, more: Sequence[str]) -> str:
    case, hw, got = outcome.case, outcome.case.hardware, outcome.got
    facts = [
        ("bit-exact", "yes" if outcome.verdict.bit_exact else "NO"),
        ("words written outside the tensors", f"{outcome.verdict.out_of_bounds_writes:,}"),
        ("cycles", f"{got.cycles:,}"),
        ("instructions", f"{got.instructions:,}"),
    ]
    lines = [
        f"{case.problem.describe()}, seed {case.seed}, kernel {case.kernel}",
        f"MLEN {hw.mlen}, BLEN {hw.blen}, HLEN {hw.hlen}, on {outcome.simulator}",
        *outcome.reasons,
        *outcome.verdict.reasons,
    ]
    lines += [reason for reason in more if reason not in lines]
    return run_page.verdict(passed, facts, lines, command)


def _errors(outcome: CaseOutcome) -> str:
    work, got = outcome.workload, outcome.got
    errors = errors_of(work, got.images, None)
    physical = (work.comparison.rows_per_batch, work.head_cols)
    return error_maps.section_of(errors.got, errors.golden, errors.right, physical)


def _mask(outcome: CaseOutcome) -> str:
    """The mask of an attention case, and that of its kernel."""
    problem, mlen = outcome.case.problem, outcome.case.hardware.mlen
    if not isinstance(problem, Attention):
        return ""
    seq, kv_seq = problem.seq, problem.kv_seq
    tiles = getattr(place(outcome.case)[0].operator, "tiles", None)
    taken = None if tiles is None else mask_grid.taken_by(tiles, seq, kv_seq, mlen)
    return mask_grid.section_of(visible_keys(seq, kv_seq, problem.causal, problem.window), taken, mlen)


def _trace(outcome: CaseOutcome) -> NDArray[np.uint32]:
    return np.zeros((0, 3), np.uint32) if outcome.got.trace is None else outcome.got.trace


def _cycles(outcome: CaseOutcome) -> str:
    got, hw = outcome.got, outcome.case.hardware
    shares = utilisation.shares_by_reason(got.counters, got.cycles)
    rows = [(unit, utilisation.reasons(values)) for unit, values in shares.items()]
    said = utilisation.describe_bound(got.counters, got.cycles, hw, outcome.beats)
    return cycles.section_of(_trace(outcome), got.cycles, rows, said)


def _listing(outcome: CaseOutcome) -> str:
    listing = listing_of(outcome.workload)
    culprit = outcome.account.culprit if outcome.account is not None else None
    wrong = culprit.pc if culprit is not None else None
    return listing_heat.section_of(listing.lines, listing.of_pc, _trace(outcome), wrong)
