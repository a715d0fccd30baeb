"""The largest error of a cell must be near the predicted one."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.analysis.error_prediction import Prediction
from tb.sweep.error_verdict import agrees


@pytest.mark.parametrize(
    ("error", "predicted", "good"),
    [
        (0.0, 0.0, True),
        (0.01, 0.0, False),
        (0.0, 0.01, False),
        (0.0109, 0.01, True),
        (0.0111, 0.01, False),
        (0.0092, 0.01, True),
        (0.0090, 0.01, False),
        (float("inf"), 0.01, False),
    ],
)
def test_the_error_must_be_near_the_prediction(error: float, predicted: float, good: bool) -> None:
    assert agrees(error, Prediction(predicted, 0.0, np.zeros(1))) is good
