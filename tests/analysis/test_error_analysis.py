"""The error analysis agrees with the machine it explains."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from plena_ref.analysis.rounding_model import STAGES, attention
from plena_ref.error_analysis import main, measure, report
from plena_ref.golden.attention import attention as golden_attention
from plena_ref.workloads.cases import CASES, Case, draw_inputs, staged_keys_and_values


def small(name: str) -> Case:
    """A registered case with little HBM, which the analysis copies for each seed."""
    return CASES[name].override(hbm_bytes=1 << 16)


@pytest.mark.parametrize("name", ["mha_batch2", "mha_causal_tiles", "mha_ragged"])
def test_roundings_explain_the_machines_error(name: str) -> None:
    """All roundings together make the machine's error, and the closed form predicts it within 2x."""
    rows = measure(small(name), seeds=3)
    rms = {stage: float(np.sqrt((error**2).mean())) for stage, error, _, _ in rows}
    predicted = {stage: value for stage, _, _, value in rows if value is not None}
    assert rms["all"] == pytest.approx(rms["machine"], rel=0.02)
    assert {*STAGES, "all", "machine"} == set(predicted)
    for stage, value in predicted.items():
        assert value / 2 <= rms[stage] <= 2 * value + 1e-12, stage


@pytest.mark.parametrize("name", ["mha_batch2", "mha_causal_tiles", "mha_ragged"])
def test_without_roundings_the_tiled_form_is_the_golden(name: str) -> None:
    case = small(name)
    q, (k, v) = draw_inputs(case).q, staged_keys_and_values(case)
    exact = golden_attention(q, k, v, case.causal)
    np.testing.assert_allclose(attention(case, q, k, v, ()), exact, rtol=0, atol=1e-12)
    assert not np.array_equal(attention(case, q, k, v, STAGES), exact)


@pytest.mark.parametrize(
    "values",
    [
        {"kv_seq": 50, "causal": 1},
        {"heads": 4, "kv_heads": 2},
        {"heads": 4, "kv_heads": 2, "causal": 1, "window": 9},
        {"kv_seq": 61, "causal": 1, "window": 18, "sinks": 1, "heads": 2},
    ],
    ids=lambda values: "-".join(values),
)
def test_caches_groups_windows_and_sinks(values: dict[str, int]) -> None:
    """Without roundings the tiled form is the golden; with them it makes the machine's error."""
    case = CASES["mha_ragged"].override(hbm_bytes=1 << 17, **values)
    inputs, (k, v) = draw_inputs(case), staged_keys_and_values(case)
    exact = golden_attention(inputs.q, k, v, case.causal, case.window, inputs.sinks)
    tiled = attention(case, inputs.q, k, v, (), inputs.sinks)
    np.testing.assert_allclose(tiled, exact, rtol=0, atol=1e-12)
    rows = {stage: (error, predicted) for stage, error, _, predicted in measure(case, seeds=2)}
    rms = {stage: float(np.sqrt((error**2).mean())) for stage, (error, _) in rows.items()}
    assert rms["all"] == pytest.approx(rms["machine"], rel=0.03)
    assert 0.5 < rms["machine"] / rows["machine"][1] < 2.0


def test_the_report_has_a_line_a_stage() -> None:
    console = Console(file=io.StringIO(), width=110)
    report(small("mha_batch1"), 1, console)
    text = console.file.getvalue()
    assert all(f" {name} " in text for name in (*STAGES, "all but S", "all", "machine"))


def test_a_wrong_command_line_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["mha", "--set", "HEAD_DIM=0"])
    assert "HEAD_DIM must be at least 1" in capsys.readouterr().err
