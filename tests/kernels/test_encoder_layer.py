"""Vision encoder layers on the reference machine: sizes, every stage, what does not fit."""

from __future__ import annotations

import pytest

from plena_ref.kernels.gelu import GeluKernel
from plena_ref.kernels.linear import LinearKernel
from plena_ref.kernels.program import GP0
from plena_ref.machine.reference import Machine
from plena_ref.verdict.stages import StageVerdict, StageWatch, first_wrong
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from tests.kernels.checking import check, hardware


def layer(mlen: int = 16, blen: int = 4, **values: object) -> Case:
    """A case on a machine with small memories."""
    values = {"model": "reduced", "sigma": 1.0, **values}
    return make_case("layer", hardware=hardware(mlen, blen), kernel="encoder_layer", **values)


def run_stages(case: Case) -> list[StageVerdict]:
    """The stages of a run."""
    workload = build(case)
    machine = Machine(workload.hardware, workload.images, workload.limit)
    watch = StageWatch(workload.stages, machine.images)
    assert machine.run(workload.words, watch=watch).status == "stopped"
    return watch.verdicts


@pytest.mark.parametrize(("mlen", "blen"), [(8, 4), (64, 16)])
@pytest.mark.parametrize(("batch", "seq"), [(2, 5), (1, 17)])
def test_sizes(mlen: int, blen: int, batch: int, seq: int) -> None:
    check(layer(mlen, blen, batch=batch, seq=seq))


def test_every_stage_passes() -> None:
    verdicts = run_stages(layer(batch=2, seq=5))
    assert [verdict.reason for verdict in verdicts if not verdict.passed] == []
    assert len(verdicts) == 14 and verdicts[-1].stage.name == "mlp residual"


def test_a_bias_left_out_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LinearKernel, "_add_bias", lambda *_: None)
    found = first_wrong(run_stages(layer(batch=2, seq=5)))
    assert found is not None and found.stage.name == "q"


def test_gelu_left_out_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GeluKernel, "emit", lambda _kernel, p: p.C_SET_STRIDE_REG(GP0))
    found = first_wrong(run_stages(layer(batch=2, seq=5)))
    assert found is not None and found.stage.name == "activation"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "huge"}, r"MODEL must be one of smolvlm2, reduced \(got huge\)"),
        ({"seq": 0}, r"SEQ must be at least 1 \(got 0\)"),
        ({"model": "smolvlm2"}, r"HBM is full: W.* needs \d+ bytes at \d+, HBM_BYTES = 1048576"),
    ],
)
def test_what_does_not_fit_says_what_to_raise(values: dict[str, object], message: str) -> None:
    with pytest.raises(CaseError, match=message):
        build(layer(**values))
