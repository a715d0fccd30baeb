"""Named faults of the formats of HBM in RTL, each noticed by the unit tests of its module, on Icarus."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb.engine import paths, simulate
from tb.mutants.table import Mutant
from tb.mutants.trial import tree_with
from tb.unit.test_formats import differences
from tb.unit.test_hbm import SOURCES, shape


def conversion(name: str, key: str, kind: str, file: str, old: str, new: str) -> Mutant:
    """A fault of a conversion of an element format; `kind` is what it spoils."""
    return Mutant(name, f"rtl/{file}.svh", old, new, case=key, reason=kind)


CONVERSIONS = (
    conversion("the largest of plena is that of ocp", "plena", "decode", "mx_format", ": 7'h77", ": 7'h7E"),
    conversion("the largest element of ocp one less", "ocp", "decode", "mx_format", "? 7'h7E", "? 7'h7D"),
    conversion("subnormals of plena as in ocp", "plena", "decode", "mx_format", "? 1 : 0;", "? 1 : 1;"),
    conversion("subnormals of ocp as in plena", "ocp", "decode", "mx_format", "? 1 : 0;", "? 0 : 0;"),
    conversion("no epsilon in the scale", "plena", "scale", "mx_functions", "sum = 17'd274;", "sum = 17'd1;"),
    conversion("a quarter is not dropped", "plena", "encode", "mx_functions",
               "up = wide[13-MX_MANTISSA_W] & (wide[12-MX_MANTISSA_W] |",
               "up = wide[13-MX_MANTISSA_W] & (|wide[12-MX_MANTISSA_W:0] |"),
    conversion("the mantissa carries", "plena", "encode", "mx_functions",
               "!= 2'd0 : steps[MX_MANTISSA_W+1])", "!= 2'd0 : 1'b0)"),
)  # fmt: skip


@pytest.mark.parametrize("mutant", CONVERSIONS, ids=lambda mutant: mutant.name)
def test_a_fault_of_a_conversion_is_noticed(mutant: Mutant, tmp_path: Path) -> None:
    simulate.require("icarus")
    with tree_with(mutant) as root:
        assert mutant.reason in differences(root / "rtl", mutant.case, tmp_path)


def transfer(name: str, file: str, old: str, new: str) -> Mutant:
    """A fault of the transfers of bf16."""
    return Mutant(name, f"rtl/hbm/{file}.sv", old, new, case="take_turns", reason="take_turns")


TRANSFERS = (
    transfer("a byte per element is cut out", "row_gather", "double = DOUBLE && double_q;", "double = 1'b0;"),
    transfer("a byte per element is written", "dma_write",
             "as_bf16 ? 10'(2 * MLEN) : 10'(MLEN)", "as_bf16 ? 10'(MLEN) : 10'(MLEN)"),
    transfer("bf16 takes scales that belong to another", "dma_read",
             "chunk_row_last && !chunk_bf16;", "chunk_row_last && scales_valid;"),
)  # fmt: skip


@pytest.mark.parametrize("mutant", TRANSFERS, ids=lambda mutant: mutant.name)
def test_a_fault_of_bf16_rows_is_noticed(mutant: Mutant) -> None:
    simulate.require("icarus")
    sizes = shape(16, 4, 8, 4, 4, bf16=1)
    with tree_with(mutant) as root:
        model = simulate.build("hbm_bench", SOURCES, parameters=sizes, simulator="icarus", root=root)
    with pytest.raises(simulate.SimulationError, match=mutant.reason):
        here = paths.REPO / "tb" / "unit"
        simulate.run(model, "cocotb_hbm", search=[here], testcase=mutant.case)
