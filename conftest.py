"""For every test: what `make test` started ends when make does."""

from __future__ import annotations

import pytest

from tb.engine import parent


def pytest_configure(config: pytest.Config) -> None:
    """pytest ends with make, and its workers end with it."""
    if hasattr(config, "workerinput"):
        parent.end_with_parent()
    else:
        parent.end_with_make()
