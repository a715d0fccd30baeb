"""A run of a build directory as people and programs read it."""

from __future__ import annotations

from rich.console import Console

from plena_ref.verdict.report import batch_json, batch_table
from plena_ref.verdict.tolerance import STRICT
from tb.bench import utilisation
from tb.bench.options import REFERENCE
from tb.peer import stage_profile, wrong_result
from tb.peer.build_run import BuildOutcome


def _word(passed: bool) -> str:
    return "PASS" if passed else "FAIL"


def conclusion(outcome: BuildOutcome) -> str:
    """Both verdicts in a line."""
    return f"peer: {_word(outcome.peer.passed)}, ours: {_word(outcome.ours.passed)}"


def to_json(outcome: BuildOutcome) -> dict[str, object]:
    """The contents of ``stats.json`` (docs/result.md)."""
    build, ours, peer = outcome.build, outcome.ours, outcome.peer
    comparison, golden = build.comparison, build.golden
    return {
        **outcome.run.to_json(),
        "simulator": outcome.simulator,
        "machine": build.program.shape.hardware.rtl_parameters(),
        "hbm_limit": build.program.shape.limit,
        "settings": None if build.settings.path is None else str(build.settings.path),
        "unwritten": outcome.unwritten,
        "golden": {"file": golden.path.name, "two_decimals": golden.two_decimals},
        "peer": {
            "passed": peer.passed,
            "match_percent": peer.match_percent,
            "atol": comparison.atol,
            "rtol": comparison.rtol,
            "min_match_percent": comparison.match_percent,
            "zeros_match_percent": peer.zeros_percent,
            "vacuous": peer.zeros_pass,
        },
        "ours": {
            "passed": ours.passed,
            "atol": ours.tolerance.atol,
            "rtol": ours.tolerance.rtol,
            "min_match_percent": ours.tolerance.match_percent,
            "outer": ours.tolerance.outer,
            "vacuous": ours.vacuous,
            "passes_bf16_limited": ours.bf16_limited,
            "batches": [batch_json(row) for row in ours.batches],
            "bit_exact": None if ours.differences is None else not ours.differences,
            "differences": list(ours.differences or ()),
            "words_written_outside": ours.written_outside,
            "preloaded_words_changed": ours.inputs_changed,
            "elements_not_written": ours.unwritten,
            "reasons": list(ours.reasons),
        },
    }


def stage_uses(outcome: BuildOutcome) -> list[stage_profile.StageUse] | None:
    """The use of the machine by stage; None on the reference machine, or where stages have no names."""
    program, job = outcome.build.program, outcome.job
    if job is None or job.trace is None or program.stages is None:
        return None
    hw = program.shape.hardware
    return stage_profile.profile(job.trace, job.cycles, program.stages.names, program.words, hw)


def print_report(outcome: BuildOutcome, console: Console) -> None:
    """Print what was read, how the run ended, and both verdicts."""
    build, hw, run = outcome.build, outcome.build.program.shape.hardware, outcome.run
    console.print(f"{build.folder}: {len(build.program.words)} words", soft_wrap=True, markup=False)
    console.print(
        f"MLEN {hw.mlen}, BLEN {hw.blen}, HLEN {hw.hlen}, VPREF {hw.vpref}, VSTORE {hw.vstore}; "
        f"VRAM {hw.vram_rows} rows, MSRAM {hw.msram_tiles} tiles, on {outcome.simulator}"
    )
    for remark in build.remarks:
        console.print(f"  {remark}", soft_wrap=True, markup=False)
    cycles = "" if run.cycles is None else f"{run.cycles} cycles, "
    console.print(f"{run.status} at pc {run.pc}: {cycles}{run.instructions} instructions")
    if outcome.build_seconds:
        console.print(f"model built in {outcome.build_seconds:.1f} s")
    if run.counters is not None and run.cycles:
        utilisation.print_bars(console, run.counters, run.cycles, hw, outcome.beats)
    uses = stage_uses(outcome)
    if uses is not None:
        stage_profile.print_table(uses, hw, console)
    _print_peer(outcome, console)
    _print_ours(outcome, console)
    if outcome.unwritten is not None:
        console.print(outcome.unwritten, markup=False, soft_wrap=True)
    console.print(conclusion(outcome))


def _print_peer(outcome: BuildOutcome, console: Console) -> None:
    params, peer, golden = outcome.build.comparison, outcome.peer, outcome.build.golden
    where = f"golden from {golden.path.name}"
    if golden.two_decimals:
        where += ", whose text has two decimals: each value is off by up to 0.005"
    console.print(where)
    console.print(
        f"peer's verdict: {peer.match_percent:.2f}% within {params.atol:g} + {params.rtol:g}*|golden|, "
        f"pass mark {params.match_percent:g}%: {_word(peer.passed)}"
    )
    said = "yes, it would PASS" if peer.zeros_pass else "no"
    console.print(f"  vacuous: {said} (a result of zeros has {peer.zeros_percent:.2f}%)")


def _print_ours(outcome: BuildOutcome, console: Console) -> None:
    ours = outcome.ours
    console.print(f"our verdict per batch: {ours.rule}", soft_wrap=True)
    console.print(batch_table(ours.batches, heads=False))
    if ours.vacuous:
        usual = f"{STRICT.atol} + {STRICT.rtol}*|golden|"
        console.print(f"vacuous: zeros would be within {usual}; judged in proportion to the largest element")
    else:
        console.print("vacuous: no")
    if ours.differences is None:
        console.print(f"bit-exact with the reference machine: not asked, this is it (SIM={REFERENCE})")
    else:
        console.print(f"bit-exact with the reference machine: {'no' if ours.differences else 'yes'}")
        console.print(f"words written outside those of the reference machine: {ours.written_outside}")
    changed = ours.inputs_changed
    console.print(
        "words of the preload, the result's apart, that the program changed: "
        f"{changed['vram']} in VRAM, {changed['hbm']} bytes of HBM"
    )
    console.print(
        f"elements of the result that the program did not write: {ours.unwritten} of {ours.elements}"
    )
    for reason in ours.reasons:
        console.print(f"  {reason}", markup=False, soft_wrap=True)
    for line in wrong_result.explain(outcome):
        console.print(f"  {line}", markup=False, soft_wrap=True)
