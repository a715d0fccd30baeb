"""The analytic cycle model against the RTL, on shapes that its constants were not fitted to."""

from __future__ import annotations

import pytest

from plena_ref.analysis.performance import OutsideModel, attention_cycles
from plena_ref.workloads.attention import attention_of
from plena_ref.workloads.registry import CASES
from tb.bench import harness
from tb.system import cycles

pytestmark = pytest.mark.not_nightly("speed")

#: Constants are fitted at seq 64, 128, 256 and 512; batch 1 to 8 of them are what the model is for.
SHAPES = (
    "TEST=mha_causal_tiles SEQ=192 CAUSAL=0",
    "TEST=mha_causal_tiles SEQ=192",
    "TEST=mha_causal_tiles SEQ=320 CAUSAL=0",
    "TEST=mha_causal_tiles SEQ=320",
    "TEST=mha_causal_tiles SEQ=64 BATCH=5",
    "TEST=mha_causal_tiles SEQ=64 BATCH=3 CAUSAL=0",
    "TEST=mha_causal_tiles SEQ=128 BATCH=3",
    "TEST=mha_causal_tiles SEQ=192 BATCH=2 HEADS=2",
)


def test_cycles_are_predicted_within_five_percent() -> None:
    """Each shape, either way."""
    measured = cycles.measure(SHAPES)
    wrong = {}
    for entry, counts in measured.items():
        case = cycles.prepare(entry)[0].case
        predicted = attention_cycles(case.hardware, attention_of(case).sizes, harness.DEFAULT_LATENCY)
        if abs(predicted / counts["cycles"] - 1) > 0.05:
            wrong[entry] = (predicted, counts["cycles"])
    assert not wrong


@pytest.mark.parametrize(
    ("overrides", "rule"),
    [
        ({"SEQ": 100}, "multiple of MLEN"),
        ({"KV_SEQ": 256}, "SEQ = KV_SEQ"),
        ({"HEAD_DIM": 128}, "HEAD_DIM = MLEN"),
        ({"SINKS": 1}, "no sinks"),
        ({"DISPATCH_WIDTH": 1}, "DISPATCH_WIDTH = 2"),
        ({"SEQ": 640}, "at most 8 key tiles"),
    ],
)
def test_other_shapes_are_refused(overrides: dict[str, int], rule: str) -> None:
    case = CASES["mha_causal_tiles"].override(**overrides)
    with pytest.raises(OutsideModel, match=rule):
        attention_cycles(case.hardware, attention_of(case).sizes, 100)
