"""The plain form on the reference machine."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from plena_ref.workloads.case import make_case
from plena_ref.workloads.registry import CASES
from tests.kernels.checking import check, hardware, run

PLAIN = ("plain_attention", "plain_attention_element_offsets")


@pytest.mark.parametrize("kernel", PLAIN)
@pytest.mark.parametrize("extra", [{"window": 3}, {"sinks": True}])
def test_the_plain_form_has_neither_window_nor_sinks(kernel: str, extra: dict) -> None:
    case = make_case("plain", hardware=hardware(16, 4), causal=True, head_dim=16, kernel=kernel, **extra)
    with pytest.raises(CaseError, match="plain form has neither WINDOW nor SINKS"):
        build(case)


@pytest.mark.parametrize("kernel", PLAIN)
@pytest.mark.parametrize(
    ("mlen", "blen", "batch", "seq", "kv_seq", "heads", "head_dim", "causal"),
    [
        (64, 16, 1, 64, 64, 1, 64, True),
        (64, 16, 2, 4, 4, 2, 64, False),
        (16, 4, 3, 20, 20, 1, 24, True),
        (8, 4, 2, 9, 21, 2, 12, False),
        (16, 4, 1, 5, 16, 1, 16, True),
        (32, 8, 1, 33, 33, 2, 64, True),
    ],
)
def test_the_plain_form(
    kernel: str,
    mlen: int,
    blen: int,
    batch: int,
    seq: int,
    kv_seq: int,
    heads: int,
    head_dim: int,
    causal: bool,
) -> None:
    sizes = {"batch": batch, "seq": seq, "kv_seq": kv_seq, "heads": heads, "head_dim": head_dim}
    check(make_case("plain", hardware(mlen, blen), kernel, causal=causal, sigma=1.0, **sizes))


@pytest.mark.parametrize("kernel", PLAIN)
def test_the_plain_form_ends_where_its_sum_stands_still(kernel: str) -> None:
    """With equal keys a tile's sum is 8: added to 2,048 it is half a step, and is lost."""
    case = make_case(
        "plain", hardware(8, 4), kernel, seq=1, kv_seq=2048, heads=1, head_dim=8, data="equal_keys"
    )
    check(case)
    with pytest.raises(CaseError, match="must not see more than 2048 keys"):
        build(case.override(kv_seq=2049))


def test_both_column_offset_forms_give_the_same_memory() -> None:
    case = CASES["mha_ragged"].override(hbm_bytes=1 << 20)
    images = [run(build(case.override(kernel=kernel))).images for kernel in PLAIN]
    np.testing.assert_array_equal(images[0].vram, images[1].vram)
    words = [build(case.override(kernel=kernel)).words for kernel in PLAIN]
    assert words[0] != words[1]
