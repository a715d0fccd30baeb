"""The golden of attention against plain loops, and what it refuses."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from plena_ref.golden import attention as golden


@pytest.mark.parametrize(
    ("causal", "window", "sinks"),
    [
        (False, None, None),
        (True, None, None),
        (True, 2, None),
        (True, 1, None),
        (False, None, [1.0, 0.0, -1.0, 2.0]),
        (True, 3, [0.5, -2.0, 9.0, 0]),
    ],
)
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_the_golden_against_plain_loops(
    causal: bool, window: int | None, sinks: list[float] | None, kv_heads: int
) -> None:
    rng = np.random.default_rng(3)
    q, k, v = rng.standard_normal((2, 4, 3, 4)), *rng.standard_normal((2, 2, kv_heads, 5, 4))
    got = golden.attention(q, k, v, causal, window, None if sinks is None else np.array(sinks))
    for batch, head, row in np.ndindex(2, 4, 3):
        shared = head * kv_heads // 4
        last = row + 2 if causal else 4
        keys = [key for key in range(5) if key <= last and (window is None or key > last - window)]
        logits = [sum(q[batch, head, row] * k[batch, shared, key]) / 2.0 for key in keys]
        weights = [np.exp(logit) for logit in logits]
        denominator = sum(weights) + (np.exp(sinks[head]) if sinks else 0.0)
        for column in range(4):
            terms = sum(w * v[batch, shared, key, column] for key, w in zip(keys, weights, strict=True))
            assert got[batch, head, row, column] == pytest.approx(terms / denominator, rel=1e-12)


def test_the_golden_of_one_key_is_its_value() -> None:
    v = np.array([Fraction(1, 3), 2, -5, 0], dtype=np.float64).reshape(1, 1, 1, 4)
    np.testing.assert_array_equal(golden.attention(np.ones((1, 1, 1, 4)), np.ones((1, 1, 1, 4)), v, True), v)


def test_the_golden_refuses_what_has_no_answer() -> None:
    q, k = np.zeros((1, 1, 3, 4)), np.zeros((1, 1, 2, 4))
    with pytest.raises(ValueError, match="sees no key"):
        golden.attention(q, k, k, causal=True)
    with pytest.raises(ValueError, match="sees no key"):
        golden.attention(k, q, q, causal=True, window=0)
    for heads, sinks in ((2, None), (1, np.zeros(2))):
        with pytest.raises(ValueError, match="shapes disagree"):
            golden.attention(q, *np.zeros((2, 1, heads, 2, 4)), causal=False, sinks=sinks)
    with pytest.raises(ValueError, match="shapes disagree"):
        golden.attention(q, k, np.zeros((1, 1, 3, 4)), causal=False)
