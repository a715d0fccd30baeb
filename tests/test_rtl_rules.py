"""The rules of scripts/rtl_rules.py find what they are for; docs/reset.md is whole."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from scripts import rtl_rules
from tb.engine.paths import REPO

#: A fault in one file, and the breach that it is.
FAULTS = (
    (
        "rtl/frontend/dead_slots.sv",
        "    if (rst) dead_q <= '0;\n    else if",
        "    if",
        "dead_q has no reset and is a",
    ),
    ("rtl/memory/msram.sv", "turn_q", "turn", "msram: register turn does not end in _q"),
    (
        "rtl/memory/bank_arbiter.sv",
        "// requests to this bank",
        "",
        "no comment beside `input",
    ),
    ("rtl/memory/fpmem.sv", "// Specified in", "// See", "does not open with three lines"),
    (
        "rtl/frontend/waiters.sv",
        "found = found | until_read_q[k] | until_done_q[k]",
        "waits_dead = waits_dead | until_read_q[k]",
        "waiters: waits_dead is read by the process that makes it",
    ),
)


def test_the_tree_has_no_breach() -> None:
    assert rtl_rules.breaches() == []


@pytest.mark.parametrize(("file", "old", "new", "breach"), FAULTS, ids=[fault[3] for fault in FAULTS])
def test_a_fault_is_named(tmp_path: Path, file: str, old: str, new: str, breach: str) -> None:
    shutil.copytree(REPO / "rtl", tmp_path / "rtl")
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    assert breach in "\n".join(rtl_rules.breaches(tmp_path))


def test_registers_without_reset_are_listed_with_their_reason() -> None:
    listed = {}
    for line in (REPO / "docs" / "reset.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and "`" in cells[1]:
            assert cells[2], f"{cells[0]} has no reason"
            for name in re.findall(r"`([^`]+)`", cells[1]):
                listed[cells[0], name] = cells[2]
    found = {
        (one.module, one.name + ("[]" if one.memory else ""))
        for one in rtl_rules.registers()
        if not one.reset
    }
    assert set(listed) == found
