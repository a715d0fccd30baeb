"""The packed form on the reference machine: shapes, what does not pack, and what it saves."""

from __future__ import annotations

import pytest

from plena_ref.verdict.tolerance import BF16_LIMITED, STRICT
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from plena_ref.workloads.case import make_case
from tests.kernels.checking import check, executed, hardware


@pytest.mark.parametrize(
    ("mlen", "blen", "hlen", "heads", "kv_heads"),
    [
        (16, 4, 8, 2, 1),
        (16, 4, 8, 8, 2),
        (16, 8, 8, 4, 2),
        (32, 4, 8, 4, 1),
        (16, 4, 16, 3, 3),
        (16, 4, 4, 32, 8),
        (16, 16, 8, 4, 2),
        (32, 16, 8, 16, 4),
        (16, 8, 4, 8, 1),
        (16, 16, 1, 16, 1),
    ],
)
@pytest.mark.parametrize(
    ("seq", "kv_seq", "causal", "window"),
    [(5, 5, False, None), (20, 37, True, None), (33, 33, True, 7), (1, 40, True, 20)],
)
def test_the_packed_form(
    mlen: int,
    blen: int,
    hlen: int,
    heads: int,
    kv_heads: int,
    seq: int,
    kv_seq: int,
    causal: bool,
    window: int | None,
) -> None:
    """LANES heads at once, HLEN above, at and below BLEN; heads of K in one column tile and in several."""
    sizes = {"batch": 2, "seq": seq, "kv_seq": kv_seq, "heads": heads, "kv_heads": kv_heads, "head_dim": hlen}
    values = {"causal": causal, "window": window, "sigma": 1.0, "tolerance": BF16_LIMITED}
    check(make_case("packed", hardware(mlen, blen, hlen=hlen), "packed_attention", **sizes, **values))


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"head_dim": 16}, "HEAD_DIM must be HLEN"),
        ({"heads": 3, "kv_heads": 1}, "HEADS/KV_HEADS must be a multiple of LANES"),
        ({"heads": 2, "kv_heads": 2}, "HEADS/KV_HEADS must be a multiple of LANES"),
        ({"heads": 6, "kv_heads": 3}, r"KV_HEADS must not exceed MLEN/max\(HLEN, BLEN\) = 2, or be"),
        ({"sinks": 1}, "the packed form has no SINKS"),
        ({"fp_words": 64}, "needs FP_WORDS >= 74"),
        ({"blen": 16, "head_dim": 16, "hlen": 8}, "HEAD_DIM must be HLEN"),
    ],
)
def test_what_does_not_pack(values: dict[str, int], rule: str) -> None:
    sizes = {"heads": 4, "kv_heads": 2, "head_dim": 8}
    case = make_case("packed", hardware(16, 4, hlen=8), "packed_attention", **sizes)
    with pytest.raises(CaseError, match=rule):
        build(case.override(**values))


GQA_SIZES = {"batch": 2, "seq": 20, "heads": 8, "kv_heads": 2, "head_dim": 8}


GQA_PACKED = make_case(
    "gqa_packed", hardware(16, 4, hlen=8), "packed_attention", causal=True, sigma=1.0, **GQA_SIZES
)


def test_the_packed_form_is_as_accurate_as_the_other() -> None:
    assert GQA_PACKED.tolerance == STRICT
    check(GQA_PACKED)


#: What the array and HBM do for attention.
OF_ARRAY = ("M_BTMM", "M_BMM_WO", "M_TMM", "M_MM", "M_MM_WO", "H_PREFETCH_M")


def test_packed_heads_share_products_and_fetches() -> None:
    """Eight heads in four blocks on two heads of K in one tile: a product a block, a fetch a tile."""
    counts = executed(build(GQA_PACKED).words)
    # Query tile 0 sees key tile 0, query tile 1 both: three products a block, two batches.
    assert counts["M_BTMM"] == counts["M_BMM_WO"] == 2 * 4 * 3
    assert counts["M_TMM"] == 0
    assert counts["H_PREFETCH_M"] == 2 * 2 * 2
    apart = executed(build(GQA_PACKED.override(kernel="attention")).words)
    assert sum(counts[name] for name in OF_ARRAY) < sum(apart[name] for name in OF_ARRAY)
