"""The case registry: what it holds, how it is overridden, what it refuses, and what it stages."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_to_f32
from plena_ref.machine.state import POISON_BF16, POISON_HBM, POISON_INT
from plena_ref.verdict.tolerance import BF16_LIMITED, STRICT
from plena_ref.workloads.attention import Inputs
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from plena_ref.workloads.case import make_case
from plena_ref.workloads.registry import CASES, MACHINES, group, read_case
from tests.refusals import case_refusals, refusals

ATTENTION_CASES = {case.name: case for case in group("attention")}


def test_the_registered_cases_are_those_of_the_plan() -> None:
    table = {
        name: (
            case.hardware.mlen,
            case.hardware.blen,
            case.problem.batch,
            case.problem.seq,
            case.problem.kv_seq,
            case.problem.heads,
            case.problem.head_dim,
            case.problem.causal,
        )
        for name, case in ATTENTION_CASES.items()
    }
    lanes = {name: case.hardware.hlen for name, case in CASES.items() if name.startswith("gqa_packed")}
    assert lanes == {"gqa_packed": 16, "gqa_packed_wide": 8, "gqa_packed_narrow": 8}
    assert table == {
        "mha": (64, 16, 1, 4, 4, 2, 64, False),
        "mha_batch1": (64, 16, 1, 4, 4, 2, 64, False),
        "mha_batch2": (64, 16, 2, 4, 4, 2, 64, False),
        "mha_batch2_sub64": (16, 4, 2, 4, 4, 2, 64, False),
        "mha_causal_tiles": (64, 16, 1, 128, 128, 1, 64, True),
        "mha_ragged": (16, 4, 3, 20, 20, 1, 24, True),
        "gqa_cached": (16, 4, 2, 5, 37, 4, 16, True),
        "gqa_packed": (64, 16, 1, 20, 70, 8, 16, True),
        "gqa_packed_wide": (16, 4, 2, 20, 20, 8, 8, True),
        "gqa_packed_narrow": (16, 16, 2, 20, 37, 4, 8, True),
        "decode_batch": (64, 16, 4, 1, 200, 2, 64, True),
        "decode_grouped": (16, 4, 2, 1, 75, 10, 24, True),
        "window_sinks": (16, 4, 1, 20, 50, 2, 24, True),
        "long_cache": (16, 4, 1, 18, 150, 1, 24, True),
        "mha_head72": (64, 16, 2, 20, 70, 2, 72, True),
        "decode_head40": (64, 16, 2, 1, 150, 6, 40, True),
    }
    special = {
        name: (case.problem.kv_heads, case.problem.window, case.problem.sinks)
        for name, case in ATTENTION_CASES.items()
        if (case.problem.kv_heads, case.problem.window, case.problem.sinks)
        != (case.problem.heads, None, False)
    }
    assert special == {
        "gqa_cached": (2, None, False),
        "gqa_packed": (2, None, False),
        "gqa_packed_wide": (2, None, False),
        "gqa_packed_narrow": (2, 18, False),
        "decode_grouped": (2, 41, True),
        "decode_head40": (2, 100, True),
        "window_sinks": (2, 19, True),
        "long_cache": (1, None, True),
    }
    for name, case in CASES.items():
        exceptions = ("window_sinks", "long_cache", "mha_head72", "plain_ragged", "plain_vision")
        layers = [name for name, case in CASES.items() if case.kernel.endswith("coder_layer")]
        exceptions += ("cached_attention", *layers)
        assert case.sigma == (1.0 if name in exceptions else 1.5)
        assert "verilator" in case.simulators or name in (
            "linear_16x4",
            "smolvlm2_layer",
            "smolvlm2_vision_layer",
        )
        usual = case.problem.tolerance(case.hardware)
        assert case.tolerance == (BF16_LIMITED if name == "mha" else usual)
        exact = ("embedding", "top_k")
        assert usual == STRICT or case.kernel in ("rms_norm", "residual_add", *exact)
    assert [name for name, case in CASES.items() if "icarus" in case.simulators] == [
        "mha_batch2_sub64",
        "mha_ragged",
        "linear_bias",
        "output_head_last",
        "rms_norm_ragged",
        "layer_norm_ragged",
        "residual_add",
        "norm_linear_residual_ragged",
        "rope_ragged",
        "swiglu_ragged",
        "gelu",
        "embedding",
        "decoder_layer_8x4",
    ]


def test_overrides_take_text_and_numbers() -> None:
    case = CASES["mha"].override(
        MLEN="32", BLEN="8", BATCH="3", SEQ="20", HEAD_DIM="64", CAUSAL="1", SEED="7", SIGMA="0.5"
    )
    assert (case.hardware.mlen, case.hardware.blen, case.hardware.hlen) == (32, 8, 32)
    assert (case.problem.batch, case.problem.seq, case.problem.kv_seq, case.problem.head_dim) == (
        3,
        20,
        20,
        64,
    )
    assert (case.problem.causal, case.seed, case.sigma) == (True, 7, 0.5)
    assert case.tolerance == BF16_LIMITED
    assert case.override(seq=24, kv_seq=40).problem.kv_seq == 40
    assert case.override(kv_seq=40).override(seq=24).problem.kv_seq == 40
    grouped = CASES["mha"].override(HEADS="4", KV_HEADS="2", CAUSAL=1, WINDOW="7", SINKS="1")
    assert (grouped.problem.kv_heads, grouped.problem.window, grouped.problem.sinks) == (2, 7, True)
    assert (
        grouped.override(heads=8).problem.kv_heads == 2
        and grouped.override(window="none").problem.window is None
    )
    assert CASES["mha"].override(heads=8).problem.kv_heads == 8
    assert CASES["mha_batch2"].override() is CASES["mha_batch2"]


def test_derived_hardware_parameters_follow_their_leader() -> None:
    hw = CASES["mha"].override(BLEN=8).hardware
    assert (hw.vpref, hw.vstore, hw.hlen) == (8, 8, 64)
    assert CASES["mha"].override(HLEN=16).override(MLEN=32).hardware.hlen == 16
    assert CASES["mha"].override(HLEN=32).override(MLEN=16).hardware.hlen == 16


@pytest.mark.parametrize(("values", "mistake"), refusals("file_of_cases"))
def test_a_mistake_in_the_file_of_cases_names_the_case(values: dict[str, object], mistake: str) -> None:
    with pytest.raises(CaseError, match=f"^mistaken: {mistake}"):
        read_case("mistaken", values, MACHINES)


@pytest.mark.parametrize(("name", "values", "rule"), case_refusals("override"))
def test_impossible_overrides_name_their_rule(name: str, values: dict[str, object], rule: str) -> None:
    with pytest.raises(CaseError, match=rule):
        CASES[name].override(**values)


@pytest.mark.parametrize(("name", "values", "rule"), case_refusals("build"))
def test_cases_that_do_not_fit_say_what_is_full(name: str, values: dict[str, object], rule: str) -> None:
    case = CASES[name].override(**values)
    with pytest.raises(CaseError, match=rule):
        build(case)


def test_staging_leaves_poison_everywhere_else() -> None:
    case = CASES["mha_ragged"].override(hbm_bytes=1 << 16)
    images = build(case).images
    slab, head_cols, staged_rows = 32 * 16, 32, 20
    q = images.vram[: 3 * slab * 2].reshape(2, 3, 32, 16)
    assert (q[:, :, staged_rows:] == POISON_BF16).all()
    assert (q[1, :, :staged_rows, 24 - 16 :] == 0).all()
    assert (images.vram[3 * slab * 2 :] == POISON_BF16).all()
    assert (images.msram == POISON_BF16).all() and (images.intmem == POISON_INT).all()
    assert (images.fpmem[3:] == POISON_BF16).all()
    k_elements = 3 * 32 * head_cols
    assert (images.hbm[:4096] == POISON_HBM).all()
    k = images.hbm[4096 : 4096 + k_elements].reshape(3, 32, head_cols)
    assert (k[:, staged_rows:] == 0).all() and (k[:, :, 24:] == 0).all() and (k[:, :20, :24] != 0).any()


def test_constants_are_where_kernels_look() -> None:
    fpmem = build(CASES["mha_batch1"].override(hbm_bytes=1 << 16)).images.fpmem
    assert fpmem[:3].tolist() == [0x0000, 0x3E00, 0xFF80]


def test_a_finite_number_may_hide_scores() -> None:
    fpmem = build(CASES["mha_batch1"].override(hbm_bytes=1 << 16, mask_value="-6e4")).images.fpmem
    assert bf16_to_f32(fpmem[2:3]).tolist() == [-59904.0]
    assert CASES["mha"].override(MASK_VALUE="-inf").problem.mask_value == -np.inf


def test_constants_of_windows_and_sinks() -> None:
    case = CASES["mha_batch1"].override(hbm_bytes=1 << 16, causal=1, window=3, sinks=1)
    fpmem, sinks = build(case).images.fpmem, case.problem.draw(case).sinks
    assert fpmem[3] == 0xFF7F and (fpmem[4 : 10 + 3 * 64] == POISON_BF16).all()
    assert sinks.shape == (2,) and bf16_to_f32(fpmem[202:204]).tolist() == sinks.tolist()
    assert (fpmem[204:] == POISON_BF16).all()
    without = case.override(sinks=0)
    plain = without.problem.draw(without)
    assert plain.sinks is None and np.array_equal(plain.q, case.problem.draw(case).q)


def test_staged_keys_are_the_inputs_within_mx_precision() -> None:
    """E4M3 has 4 significant bits: rounding moves an element by up to 1/16 of itself."""
    case = CASES["mha_batch1"].override(hbm_bytes=1 << 16)
    images, inputs = build(case).images, case.problem.draw(case)
    elements = images.hbm[4096 : 4096 + 64 * 128].view(ml_dtypes.float8_e4m3fn).astype(np.float64)
    scales = images.hbm[4096 + 64 * 128 :][: 64 * 16].view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
    dense = (elements.reshape(-1, 8) * scales[:, None]).reshape(64, 2, 64)
    wanted = inputs.k[0].transpose(1, 0, 2)
    step = np.abs(wanted).reshape(4, 2, 8, 8).max(axis=-1).repeat(8, axis=-1).reshape(4, 2, 64)
    assert (np.abs(dense[:4] - wanted) <= np.maximum(np.abs(wanted) / 16, step * 2.0**-16)).all()


def test_inputs_depend_on_the_seed_alone() -> None:
    def draw(name: str, **values: int) -> Inputs:
        case = make_case(name, **values)
        return case.problem.draw(case)

    first, again = draw("a", batch=3), draw("b", batch=3)
    np.testing.assert_array_equal(first.q, again.q)
    assert not np.array_equal(first.q, draw("a", batch=3, seed=1).q)
    values = draw("a", batch=8, seq=64).k
    assert values.std() == pytest.approx(1.5, rel=0.02) and abs(values.mean()) < 0.02


def test_the_limit_covers_the_tensors_and_no_more() -> None:
    workload = build(CASES["mha_batch2"].override(hbm_bytes=1 << 17))
    end = int(np.flatnonzero(workload.images.hbm != POISON_HBM)[-1]) + 1
    assert end <= workload.limit < end + 64 + 32


def test_a_case_may_be_written_freely() -> None:
    case = make_case("mine", hardware=Hardware(16, 8), seq=3, head_dim=8)
    assert case.problem.kv_seq == 3
    with pytest.raises(CaseError, match="mine: HEADS must be a multiple of KV_HEADS"):
        make_case("mine", hardware=Hardware(16, 8), heads=3, kv_heads=2)
