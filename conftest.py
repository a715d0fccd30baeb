"""For every test: what `make test` started ends when make does."""

from __future__ import annotations

from tb.engine import parent


def pytest_configure() -> None:
    """Before workers start, which end with this process."""
    parent.end_with_make()
