"""Every assertion of the RTL fires when its contract is broken, and is a row of docs/assertions.md."""

from __future__ import annotations

import pytest

from scripts import assertions
from tb.engine import simulate
from tb.unit import contracts


def test_every_assertion_is_shown_to_fire() -> None:
    """Names are unique in RTL, and each has its violation."""
    found = [one.name for one in assertions.in_rtl()]
    assert sorted(found) == sorted({violation.assertion for violation in contracts.VIOLATIONS})


@pytest.mark.parametrize("violation", contracts.VIOLATIONS, ids=lambda violation: violation.assertion)
def test_a_broken_contract_fires(violation: contracts.Violation) -> None:
    simulate.require("icarus")
    printed = contracts.fired(violation)
    assert f"assertion {violation.assertion}:" in printed, printed


@pytest.mark.parametrize("violation", contracts.VIOLATIONS[::8], ids=lambda violation: violation.assertion)
def test_nothing_fires_without_a_violation(violation: contracts.Violation) -> None:
    simulate.require("icarus")
    quiet = contracts.Violation(
        violation.assertion, violation.module, "", violation.parameters, violation.reset
    )
    assert "nothing fired" in contracts.fired(quiet)


def test_table() -> None:
    """docs/assertions.md is what ``python -m scripts.assertions`` writes from the same runs."""
    assert assertions.DOCUMENT.read_text() == assertions.with_table(assertions.DOCUMENT.read_text())
