"""A memory of less bandwidth: cycles rise as the beats say, and nothing else changes."""

from __future__ import annotations

from fractions import Fraction

import pytest

from plena_ref.workloads.build import build
from plena_ref.workloads.case import make_case
from tb.bench import case_command, options
from tb.bench.case_runner import judge
from tb.bench.harness import Job, run
from tb.system.test_latency import ATTENTION

RATES = [Fraction(1), Fraction(3, 4), Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)]


def test_a_decode_step_takes_what_its_beats_take() -> None:
    """Bit-exact at each rate; the cycles of the last two, bound by DMA, differ by those of their beats."""
    case = make_case(
        "decode",
        ATTENTION,
        "decode_attention",
        sigma=1.0,
        batch=1,
        seq=1,
        kv_seq=256,
        heads=4,
        kv_heads=4,
        head_dim=16,
    )
    workload = build(case)
    jobs = [Job(workload.words, workload.images, workload.limit, beats=beats) for beats in RATES]
    cycles, beats = [], 0
    for rate, result in zip(RATES, run(ATTENTION, jobs).jobs, strict=True):
        outcome = judge(workload, result)
        assert outcome.passed, (rate, outcome.reasons, outcome.verdict.reasons)
        beats = result.bus_beats[0]
        assert result.cycles > beats / rate
        cycles.append(result.cycles)
    assert cycles == sorted(set(cycles))
    assert 4 * beats <= cycles[4] - cycles[3] < 1.05 * 4 * beats


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1/0", "does not lie above 0 and at most at 1"),
        ("0/4", "does not lie above 0 and at most at 1"),
        ("5/4", "does not lie above 0 and at most at 1"),
        ("2", "does not lie above 0 and at most at 1"),
        ("1/256", "is more than 255 cycles"),
        ("0.5", "is not of the form n/m"),
        ("1/", "is not of the form n/m"),
        ("-1/2", "is not of the form n/m"),
    ],
)
def test_what_is_no_bandwidth(text: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert case_command.main(["TEST=mha_batch2", f"BEATS={text}"]) == 2
    assert capsys.readouterr().err == f"error: BEATS={text} {why}\n"


def test_a_bandwidth_is_taken_in_lowest_terms() -> None:
    assert options.take_beats({"BEATS": "250/1000"}) == Fraction(1, 4) and options.take_beats({}) == 1
    assert options.take_beats({"BEATS": "1"}) == 1
