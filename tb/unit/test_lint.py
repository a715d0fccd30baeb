"""The static checks of ``make lint``, one test each."""

from __future__ import annotations

import pytest

from scripts import lint
from tb import simulate


@pytest.mark.parametrize("name", lint.CHECKS)
def test_lint(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The check has nothing to say; what it says is shown."""
    if name in simulate.SIMULATORS:
        simulate.require(name)
    clean = lint.CHECKS[name]()
    assert clean, capfd.readouterr().out
