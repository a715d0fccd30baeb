"""The error analysis agrees with the machine it explains."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from plena_ref.analysis.attention_roundings import STAGES
from plena_ref.analysis.error_prediction import predict
from plena_ref.error_analysis import main, measure, report
from plena_ref.verdict.tolerance import EXACT
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case
from plena_ref.workloads.registry import CASES


def small(name: str) -> Case:
    """A registered case with little HBM, which the analysis copies for each seed."""
    return CASES[name].override(hbm_bytes=1 << 16)


@pytest.mark.parametrize("name", ["mha_batch2", "mha_causal_tiles", "mha_ragged"])
def test_roundings_explain_the_machines_error(name: str) -> None:
    """All roundings together make the machine's error, and the closed form predicts it within 2x."""
    rows = measure(small(name), seeds=3)
    rms = {row.name: float(np.sqrt((row.error**2).mean())) for row in rows}
    predicted = {row.name: row.predicted for row in rows if row.predicted is not None}
    assert rms["all"] == pytest.approx(rms["machine"], rel=0.02)
    assert {*STAGES, "all", "machine"} == set(predicted)
    for stage, value in predicted.items():
        assert value / 2 <= rms[stage] <= 2 * value + 1e-12, stage


#: Cases of whole layers: their models count the roundings of a stage, and do not follow them one by one.
LAYERS = [name for name, case in CASES.items() if case.kernel.endswith("coder_layer")]


@pytest.mark.parametrize("name", [name for name in LAYERS if CASES[name].problem.model == "reduced"])
def test_the_model_of_a_layer_predicts_the_machines_error(name: str) -> None:
    """End to end, for the layers that are small enough."""
    case = CASES[name]
    roundings = case.problem.roundings(case)
    np.testing.assert_array_equal(roundings.exact, build(case).golden)
    machine = {row.name: row for row in measure(case, seeds=1)}["machine"]
    error = float(np.sqrt((machine.error**2).mean()))
    assert 0.3 < error / machine.predicted < 1.6


@pytest.mark.parametrize("name", ["decoder_layer", "decoder_layer_32x8"])
def test_draws_of_a_layer_have_errors_of_the_machines_size(name: str) -> None:
    """All roundings of a stage count: with one a stage the machine's error is 1.3 times the model's."""
    seeds = 4
    machine = {row.name: row for row in measure(CASES[name], seeds)}["machine"]
    drawn = []
    for seed, error in enumerate(np.split(machine.error, seeds)):
        case = replace(CASES[name], seed=seed)
        model = case.problem.roundings(case)
        drawn.append(np.mean([((one - model.exact) ** 2).mean() for one in model.drawn()]))
        assert 0.5 < error.max() / predict(model).maximum < 2
    assert 0.85 < np.sqrt((machine.error**2).mean() / np.mean(drawn)) < 1.15


@pytest.mark.parametrize("name", [name for name in CASES if name not in LAYERS])
def test_every_case_has_a_model_of_its_roundings(name: str) -> None:
    """Without roundings it is the golden of the staged data; with them it makes the machine's error."""
    case = CASES[name].override(out_features=64) if name == "linear_16x4" else CASES[name]
    roundings = case.problem.roundings(case)
    np.testing.assert_array_equal(roundings.exact, build(case).golden)
    np.testing.assert_allclose(roundings.rounded(()), roundings.exact, rtol=0, atol=1e-12)
    rows = {row.name: row for row in measure(case, seeds=1)}
    rms = {stage: float(np.sqrt((row.error**2).mean())) for stage, row in rows.items()}
    if case.tolerance == EXACT:
        assert rms["machine"] == rms["all"] == 0
        return
    assert rms["all"] == pytest.approx(rms["machine"], rel=0.03) and rms["machine"] > 0
    assert 0.6 < rms["machine"] / rows["machine"].predicted < 1.6


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
    roundings = case.problem.roundings(case)
    np.testing.assert_allclose(roundings.rounded(()), roundings.exact, rtol=0, atol=1e-12)
    rows = {row.name: row for row in measure(case, seeds=2)}
    rms = {stage: float(np.sqrt((row.error**2).mean())) for stage, row in rows.items()}
    assert rms["all"] == pytest.approx(rms["machine"], rel=0.03)
    assert 0.5 < rms["machine"] / rows["machine"].predicted < 2.0


def test_the_report_has_a_line_a_stage() -> None:
    console = Console(file=io.StringIO(), width=110)
    report(small("mha_batch1"), 1, console)
    text = console.file.getvalue()
    assert all(f" {name} " in text for name in (*STAGES, "all but S", "all", "machine"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mha", "--set", "HEAD_DIM=0"], "HEAD_DIM must be at least 1"),
        (["mha", "nobody"], "no case nobody; there are mha, "),
        (["mha", "--seeds", "0"], "--seeds must be at least 1 (got 0)"),
    ],
)
def test_a_wrong_command_line_says_why_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert message in printed.err and printed.err.count("\n") == 1 and not printed.out
