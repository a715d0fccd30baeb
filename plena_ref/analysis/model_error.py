"""How far the logits of a pass may be off: the model with random roundings, several times over.

Every stage hands on bf16, and rounds on its way. A sample is the float64 model in which each value that a
stage hands on has an error drawn as if it had been rounded `ROUNDINGS` times, at random and not to nearest;
errors then spread as they do, through RMSNorm, softmax and the quantised caches. It knows no kernel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.language_model import KvCache, ModelWeights, Stage, forward

F64 = NDArray[np.float64]

#: Roundings to bf16 on the way to an element that a stage hands on, by the last words of its name; others: 1.
#: RMSNorm: its factor (sum, mean, root, reciprocal), the product with it, the weight. RoPE: two products, two
#: tables, the sum. Attention: scaled q, score, exponent, weight, sum, product, 1/l, result. SwiGLU: 6 steps.
ROUNDINGS = {"norm": 6, "rotated q": 5, "rotated k": 5, "attention": 8, "activation": 6}
#: Samples that are drawn.
SAMPLES = 3
#: Bits of a bf16 significand after the leading one.
_BITS = 7


def _roundings(name: str) -> int:
    return next((count for ending, count in ROUNDINGS.items() if name.endswith(ending)), 1)


def rounded_at_random(rng: np.random.Generator) -> Stage:
    """A stage function that adds the error of `ROUNDINGS` roundings."""

    def stage(name: str, values: F64) -> F64:
        with np.errstate(divide="ignore"):
            place = np.floor(np.log2(np.abs(values))) - _BITS
        error = rng.uniform(-0.5, 0.5, values.shape) * np.exp2(place) * np.sqrt(_roundings(name))
        return values + np.where(values == 0, 0.0, error)

    return stage


class ErrorModel:
    """The predicted error of the logits, pass by pass.

    Args:
        model: the weights that the machine reads.
        stored: what the caches make of keys and values.
        seed: of the random roundings.
    """

    def __init__(self, model: ModelWeights, stored: Stage, seed: int = 0) -> None:
        self._model, self._stored = model, stored
        self._samples = [
            (KvCache(), rounded_at_random(np.random.default_rng((seed, n)))) for n in range(SAMPLES)
        ]

    def deviation(self, tokens: Sequence[int], exact: F64) -> F64:
        """The predicted standard deviation of a logit's error in each row of a pass; shape n.

        What all logits of a row have in common moves none against another and is left out.

        Args:
            tokens: those of the pass.
            exact: the logits without any rounding, n x vocabulary.
        """
        errors = [
            forward(self._model, tokens, cache, stage, self._stored) - exact for cache, stage in self._samples
        ]
        result: F64 = np.sqrt(np.mean([error.var(axis=1) for error in errors], axis=0))
        return result
