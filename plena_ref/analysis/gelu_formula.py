"""GELU with the exponential and the reciprocal alone: x / (1 + exp(-u)), u a polynomial of x.

Of the form with tanh, u is twice the argument of tanh, exactly. Of the exact form, u stands for the log-odds
of the normal distribution, log(share / (1 - share)): an odd function, nearly a cubic one. The coefficients
are a least-squares fit over 0 < x <= 5, weighted with what an error of u does to the result; x^2 is cut off
where the fit ends, so that u goes on in proportion to x and the result is 0 or x. A test holds the fit to
`error`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.gelu import CUBIC, SCALE, normal_share

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class GeluFormula:
    """u = x * sum_i coefficients[i] q^i, q = min(x^2, limit).

    Attributes:
        coefficients: of the powers of q, all of them positive but the last of three.
        limit: largest q, a bf16 number; infinite where there is none.
        error: how far x / (1 + exp(-u)) is from the form that it stands for, at most, for any x.
    """

    coefficients: tuple[float, ...]
    limit: float
    error: float

    def square(self, x: F64) -> F64:
        """q."""
        return np.minimum(x**2, self.limit)

    def argument(self, x: F64) -> F64:
        """u."""
        q = self.square(x)
        return x * sum(c * q**i for i, c in enumerate(self.coefficients))


#: By what KERNEL= calls the form.
FORMULAS: dict[str, GeluFormula] = {
    "gelu_tanh": GeluFormula((2 * SCALE, 2 * SCALE * CUBIC), np.inf, 0.0),
    "gelu": GeluFormula((1.59506758, 0.0740102974, -0.000713011225), 25.0, 4e-5),
}
#: The log-odds are cut off here, where exp(-u) is 10^-38.
LOG_ODDS_X = 12.9


def log_odds(x: F64) -> F64:
    """log(share / (1 - share)) of the normal distribution, of x cut to +-12.9."""
    x = np.clip(x, -LOG_ODDS_X, LOG_ODDS_X)
    return np.log(normal_share(x) / normal_share(-x))
