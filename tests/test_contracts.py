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


@pytest.mark.parametrize(("code", "begun"), [("1", True), ("2", True), ("15", False)])
def test_an_unknown_operation_of_the_hbm_unit_does_nothing(code: str, begun: bool) -> None:
    """Without its assertion it is done at once and asks neither bus nor VRAM; a prefetch and a store ask."""
    simulate.require("icarus")
    steps = f"push=1 push_op=4'd{code} slot_ready=4'hF; push=0" + "; " * 8
    shown = """
  always @(posedge clk) begin
    if (dut.rd_req || dut.m_axi_arvalid || dut.m_axi_awvalid) $display("begun");
    if (dut.slot_done === 4'b0001) $display("done");
  end
endmodule"""
    violation = contracts.Violation("", "hbm_unit", steps, {"MLEN": 16, "BLEN": 8})
    text = contracts.bench(violation).replace("\nendmodule", shown)
    printed = contracts.printed(text, "-DPLENA_NO_ASSERTIONS").splitlines()
    assert ("begun" in printed, printed.count("done")) == (begun, int(not begun))
