"""The table of counters, the work of an instruction, and the bound."""

from __future__ import annotations

from fractions import Fraction

import pytest

from plena_ref.analysis.cycle_bound import Bound, bound
from plena_ref.isa import csr
from plena_ref.isa.counters import GROUPS, TOTALS, Counters
from plena_ref.machine.hardware import Hardware
from tb.system.instruction_work import work_of

HW = Hardware(64, 16)


def test_groups_lie_apart_and_every_counter_has_its_registers() -> None:
    ends = 0
    for group in GROUPS.values():
        assert group.offset >= ends and len(set(group.names)) == len(group.names)
        ends = group.offset + 8 * len(group.counters)
        for half, offset in (("LO", 0), ("HI", 4)):
            register = csr.REGISTERS[f"{group.name.upper()}_{half}"]
            assert register.access is csr.Access.RO
            for number in range(len(group.counters)):
                assert register.address(number) == group.offset + 8 * number + offset


def test_counters_are_read_by_name() -> None:
    counters = Counters.read(lambda offset: offset)
    assert counters.dispatch["one"] == 0x200 and counters.dispatch["drain"] == 0x240
    assert counters.matrix["empty"] == 0x280 and counters.hbm["order"] == 0x430
    assert counters.totals["macs"] == 0x550
    assert list(counters.to_json()) == list(GROUPS)


@pytest.mark.parametrize(
    ("mnemonic", "policy", "work"),
    [
        ("M_MM", 0, (16 * 16 * 64, 0)),
        ("M_TMM", 0, (16 * 16 * 64, 0)),
        ("M_MM_WO", 0, (0, 0)),
        ("M_MV", 0, (16 * 64, 0)),
        ("M_BTMM", 0, (64 * 64 * 64, 0)),
        ("M_BMV", 0, (64 * 64, 0)),
        ("V_ADD_VF", 0, (0, 1)),
        ("V_RED_MAX", 0, (0, 1)),
        ("S_MAP_V_FP", 0, (0, 1)),
        ("V_TOPK", 0, (0, 1)),
        ("V_TOPK", 1, (0, 2)),
        ("S_ADD_FP", 0, (0, 0)),
        ("H_PREFETCH_M", 0, (0, 0)),
    ],
)
def test_work_of_an_instruction(mnemonic: str, policy: int, work: tuple[int, int]) -> None:
    """Numbers of isa.md, counted by hand for MLEN 64, BLEN 16."""
    assert work_of(mnemonic, policy, HW) == work


@pytest.mark.parametrize(
    ("work", "cycles", "resource"),
    [
        ({"macs": 1_025_025}, 1002, "matrix work"),
        ({"vector_rows": 700, "macs": 1024 * 600}, 700, "vector rows"),
        ({"read_beats": 300, "write_beats": 400}, 400, "DMA beats"),
        ({"float_instructions": 300, "integer_instructions": 301, "vector_rows": 300}, 301, "instructions"),
        (
            {"matrix_instructions": 150, "float_instructions": 150, "hbm_instructions": 2},
            302,
            "unit instructions",
        ),
    ],
)
def test_bound(work: dict[str, int], cycles: int, resource: str) -> None:
    """The resource that needs most, rounded up; two instructions a cycle; reads and writes side by side."""
    totals = {**dict.fromkeys((counter.name for counter in TOTALS), 0), **work}
    got = bound(totals, HW)
    assert (got.cycles, got.resource) == (cycles, resource)
    assert got.utilisation(2 * cycles) == 0.5


def test_bound_of_a_slower_memory() -> None:
    totals = {**dict.fromkeys((counter.name for counter in TOTALS), 0), "read_beats": 301, "vector_rows": 400}
    assert bound(totals, HW, Fraction(3, 4)).cycles == 402
    assert bound(totals, HW, Fraction(1, 4)) == Bound(1204, "DMA beats")
