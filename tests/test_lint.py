"""The checks of `make lint`, as tests: one a tool."""

from __future__ import annotations

import pytest

from scripts import lint
from tb.engine import simulate


@pytest.mark.parametrize("check", lint.CHECKS)
def test_lint(check: str) -> None:
    if check in simulate.SIMULATORS:
        simulate.require(check)
    assert lint.main([check]) == 0, f"see the output above; `python -m scripts.lint {check}` repeats it"
