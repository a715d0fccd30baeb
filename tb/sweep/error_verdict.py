"""Whether the errors of a cell are those that its roundings make.

The float64 golden judges every element with the tolerance of its own row, the model of the roundings the
largest error of all, and the size of the problem that model. None of them knows a kernel or what the machine
did. docs/accuracy.md derives the rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plena_ref.analysis.error_prediction import Prediction
from plena_ref.analysis.roundings import F64
from plena_ref.verdict.tolerance import element_tolerance

#: The measured maximum error of attention must lie between the predicted one divided by this and multiplied
#: with this. They were equal in all cells so far; an f32 sum may turn a rounding of the largest one over.
PREDICTION_FACTOR = 1.1
#: The same of a layer, whose roundings are drawn: 0.62 to 1.89 was seen over 220 seeds of reduced layers.
LAYER_FACTOR = 2.0
#: Where it is farther from the closed form's, up or down, a report marks it.
EXPECTED_FACTOR = 2.0
#: The predicted maximum error may be so many times that of the closed form; 2.2 is the most that was seen.
CLOSED_FORM_FACTOR = 4.0


@dataclass(frozen=True)
class ErrorVerdict:
    """The errors of a result.

    Attributes:
        maximum: the largest absolute error; infinite when an element is NaN.
        reasons: why they are not those of the roundings; empty when they are.
    """

    maximum: float
    reasons: tuple[str, ...]


def judge_errors(
    got: F64, golden: F64, prediction: Prediction, limit: float, factor: float = PREDICTION_FACTOR
) -> ErrorVerdict:
    """Judge a result.

    Args:
        got: what the machine made, batch x seq x heads x head_dim.
        golden: the float64 golden, as `got`.
        prediction: of the errors, from the same data.
        limit: the largest error that the problem's size explains.
        factor: how far the largest error may be from the predicted one.
    """
    error = np.abs(got - golden)
    error = np.where(np.isnan(error), np.inf, error)
    maximum = float(error.max())
    reasons = [*_elements(error, golden, prediction), *_maximum(maximum, prediction, factor)]
    return ErrorVerdict(maximum, (*reasons, *_excuses(prediction, limit)))


def agrees(maximum: float, prediction: Prediction, factor: float = PREDICTION_FACTOR) -> bool:
    """The measured maximum lies within the factor of the predicted one; both may be 0."""
    low, high = prediction.maximum / factor, prediction.maximum * factor
    return low <= maximum <= high


def _elements(error: F64, golden: F64, prediction: Prediction) -> list[str]:
    """Elements outside the tolerance of their own row."""
    tolerance = element_tolerance(prediction.variance, golden)
    beyond = error > tolerance
    if not beyond.any():
        return []
    excess = np.where(beyond, error / tolerance, 0)
    worst = tuple(int(index) for index in np.unravel_index(int(np.argmax(excess)), error.shape))
    batch, row, head, column = worst
    return [
        f"{int(beyond.sum())} of {error.size} elements are farther from the golden than the roundings of "
        f"their row explain; the worst is batch {batch}, row {row}, head {head}, column {column}: "
        f"error {error[worst]:.4g}, tolerance {tolerance[worst]:.4g}"
    ]


def _maximum(maximum: float, prediction: Prediction, factor: float) -> list[str]:
    if agrees(maximum, prediction, factor):
        return []
    return [
        f"maximum error {maximum:.4g}, predicted {prediction.maximum:.4g}: not within a factor of {factor:g}"
    ]


def _excuses(prediction: Prediction, limit: float) -> list[str]:
    """A prediction so large that it would excuse anything."""
    found = []
    if prediction.maximum > CLOSED_FORM_FACTOR * prediction.expected:
        found.append(
            f"predicted error {prediction.maximum:.4g}, by closed form {prediction.expected:.4g}: "
            f"more than {CLOSED_FORM_FACTOR:g} times as much"
        )
    if prediction.maximum > limit:
        found.append(
            f"predicted error {prediction.maximum:.4g}: the size of the problem explains at most {limit:.4g}"
        )
    return found
