"""For every system test: one that hangs ends in an error, and what `make nightly` leaves out says why."""

from __future__ import annotations

import os

import pytest

#: Seconds that one simulation of a system test may take; the longest takes a tenth of it on an idle machine.
TIME_LIMIT = 900


def pytest_configure(config: pytest.Config) -> None:
    """Set the limit, unless the environment says otherwise."""
    os.environ.setdefault("SIM_TIMEOUT", str(TIME_LIMIT))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that is not run every night says why.

    Raises:
        UsageError: a mark without its reason.
    """
    for item in items:
        mark = item.get_closest_marker("not_nightly")
        if mark is not None and len(mark.args) != 1:
            raise pytest.UsageError(f"{item.nodeid}: not_nightly has no reason")
