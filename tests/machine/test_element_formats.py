"""`scripts.element_formats`: what it measures is what it says, and bad options are refused in one line."""

from __future__ import annotations

import numpy as np
import pytest

from scripts import element_formats


def test_one_element_of_eight_is_read_at_twice_its_value() -> None:
    """In a block of 1 and seven of 2^-9, of PLENA's subnormals: read as ocp each is off by 2^-9."""
    block = np.array([[1.0, *[2.0**-9] * 7]])
    size, ocp, plena, misread = element_formats.measure(iter([block]))
    assert size == "8 weights, blocks of 8"
    assert ocp.endswith("rms error 0.00000 of the weights' rms") and plena.endswith(
        "0.00000 of the weights' rms"
    )
    assert "87.5000% of the elements differ, by at most 0.00195 of their block's largest" in misread


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["MODEL=none.gguf"], "none.gguf"),
        (["SEED=1"], "SEED= is unknown; there are MODEL"),
        (["7"], "'7' is not of the form KEY=VALUE"),
    ],
)
def test_bad_options(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert element_formats.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
