"""Which token comes next: the best one, or one drawn from softmax(logits / TEMPERATURE) by its SEED."""

from __future__ import annotations

import numpy as np
import pytest

from tb.chat.conversation import choose

LOGITS = np.array([0.5, 2.0, -1.0, 1.0])


def drawn(temperature: float, seed: int, count: int, logits: np.ndarray = LOGITS) -> list[int]:
    """So many tokens, one after the other."""
    rng = np.random.default_rng(seed)
    return [choose(logits, temperature, rng) for _ in range(count)]


def test_without_a_temperature_it_is_the_best() -> None:
    assert set(drawn(0.0, 3, 20)) == {1}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_tokens_come_as_often_as_the_softmax_says(temperature: float) -> None:
    """Within five standard deviations of 4,000 draws."""
    share = np.exp(LOGITS / temperature) / np.exp(LOGITS / temperature).sum()
    counts = np.bincount(drawn(temperature, 1, 4000), minlength=len(LOGITS))
    assert (np.abs(counts - 4000 * share) < 5 * np.sqrt(4000 * share * (1 - share))).all()


def test_a_seed_draws_the_same_tokens_again_and_another_seed_others() -> None:
    assert drawn(2.0, 7, 50) == drawn(2.0, 7, 50) != drawn(2.0, 8, 50)


def test_large_logits_and_a_small_temperature_do_not_overflow() -> None:
    assert set(drawn(1e-3, 0, 20, 3e4 * LOGITS)) == {1}
