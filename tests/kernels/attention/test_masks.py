"""Windows, sinks and finite masks on the reference machine."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.golden import attention as golden
from plena_ref.machine.numerics import bf16_from_float
from plena_ref.verdict.accuracy import result_values
from plena_ref.workloads.build import build
from plena_ref.workloads.case import make_case
from tests.cases import with_problem
from tests.kernels.checking import check, hardware, run

PLAIN = ("plain_attention", "plain_attention_element_offsets")


@pytest.mark.parametrize("sinks", [False, True])
@pytest.mark.parametrize("window", [1, 2, 5, 16, 17, 40, 1000])
@pytest.mark.parametrize(("seq", "kv_seq"), [(20, 20), (40, 47), (1, 50), (16, 32), (5, 36)])
def test_sliding_windows(seq: int, kv_seq: int, window: int, sinks: bool) -> None:
    """Windows below, at and above a tile; some rows see nothing of the first tile of their window."""
    check(
        make_case(
            "window",
            hardware=hardware(16, 4),
            seq=seq,
            kv_seq=kv_seq,
            heads=2,
            head_dim=20,
            causal=True,
            window=window,
            sinks=sinks,
            sigma=1.0,
        )
    )


@pytest.mark.parametrize("causal", [False, True])
def test_sinks_join_the_denominator(causal: bool) -> None:
    """Several batches and key tiles; a sink changes the result, and each head has its own."""
    case = make_case(
        "sinks", hardware=hardware(16, 4), batch=2, seq=20, heads=4, head_dim=16, causal=causal, sigma=1.0
    )
    workload = build(case.override(sinks=True))
    sinks = np.array([3.0, 2.0, 4.0, 5.0])
    workload.images.fpmem[10 + 3 * 16 :][:4] = bf16_from_float(sinks)
    data = case.problem.roundings(case).problem
    inputs = (data.q, data.k, data.v, causal, None)
    wanted, unsunk = golden.attention(*inputs, sinks), golden.attention(*inputs)
    assert np.abs(wanted - unsunk).max(axis=(0, 2, 3)).min() > 0.1
    assert np.abs(wanted - golden.attention(*inputs, sinks[::-1])).max(axis=(0, 2, 3)).min() > 0.1
    images = run(workload).images
    got = result_values(workload, images.vram).transpose(0, 2, 1, 3)
    np.testing.assert_allclose(got, wanted, rtol=0.02, atol=0.02)
    check(case.override(sinks=True))


def test_a_sink_far_above_every_score_takes_all_the_weight() -> None:
    workload = build(make_case("sink", hardware=hardware(16, 4), seq=5, heads=1, head_dim=16, sinks=True))
    workload.images.fpmem[10 + 3 * 16] = 0x43C8  # 400.0
    assert (result_values(workload, run(workload).images.vram) == 0).all()


@pytest.mark.parametrize("kernel", ["attention", "packed_attention", *PLAIN])
@pytest.mark.parametrize(("seq", "kv_seq", "causal"), [(20, 37, True), (20, 37, False), (33, 33, True)])
def test_a_finite_mask_gives_the_same_bits(kernel: str, seq: int, kv_seq: int, causal: bool) -> None:
    """exp(-6e4 - m) is 0 as exp(-inf) is: decoders that stage -6e4 get what -inf gives."""
    sizes = {"batch": 2, "seq": seq, "kv_seq": kv_seq, "heads": 2, "kv_heads": 1, "head_dim": 8}
    case = make_case("mask", hardware(16, 4, hlen=8), kernel, causal=causal, sigma=1.0, **sizes)
    got = []
    for mask_value in (-np.inf, -6e4):
        workload = build(with_problem(case, mask_value=mask_value))
        assert workload.images.fpmem[2] == (0xFF80 if mask_value == -np.inf else 0xC76A)
        got.append(result_values(workload, check(workload.case).images.vram))
    np.testing.assert_array_equal(*got)
