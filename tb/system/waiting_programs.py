"""Directed programs in which one reason to wait must dominate, as data: each pins a reason to its counter."""

from __future__ import annotations

from dataclasses import dataclass

from plena_ref.isa.assembler import assemble
from tb.system.equivalence import SCALES


@dataclass(frozen=True)
class Program:
    """A program in which one reason must dominate.

    Attributes:
        unit: the group of counters.
        reason: the counter that must hold most of the unit's waiting cycles.
        share: least share of all cycles that it must hold.
        body: text of the loop's body.
        times: turns of the loop; 0 puts the body there once, without a loop.
        setup: text before the loop.
        latency: of the memory, in cycles.
        exact: the counter's value, where the documented timing gives it.
        most: least share of the unit's waiting cycles that it must hold.
    """

    unit: str
    reason: str
    share: float
    body: str
    times: int = 50
    setup: str = ""
    latency: int = 20
    exact: int | None = None
    most: float = 0.9

    @property
    def words(self) -> list[int]:
        """The program."""
        if not self.times:
            return assemble(self.setup + "\n" + self.body)
        return assemble(f"{self.setup}\nC_LOOP_START gp15, {self.times}\n{self.body}\nC_LOOP_END gp15\n")


# Rows 1, 2, 9 (same bank as 1 xor the fold: rows 1 and 9 of one tile), 20, 30 in gp1, gp2, gp9, gp10, gp11;
# tiles 0 and 1 in gp0 and gp5; FP_MEM words 0 and 16 in gp0 and gp6; HBM bytes 0 and 2048 in gp0 and gp7.
REGISTERS = {1: 16, 2: 32, 5: 256, 6: 16, 7: 2048, 9: 9 * 16, 10: 20 * 16, 11: 30 * 16}
SETUP = "\n".join(
    [
        *(f"S_ADDI_INT gp{register}, gp0, {value}" for register, value in REGISTERS.items()),
        f"S_LUI_INT gp14, {SCALES >> 12}",
        "C_SET_SCALE_REG gp14",
    ]
)
SLOW_F = "S_EXP_FP f1, f1\n" * 6

PROGRAMS = {
    "chain of float instructions": Program("float", "f", 0.48, "S_EXP_FP f1, f1\n" * 8, exact=399),
    "chain of reductions": Program("vector", "f", 0.6, "V_RED_SUM f1, gp1\n" * 4),
    "float instruction behind a reduction": Program(
        "float", "f", 0.5, "V_RED_SUM f1, gp1\nS_ADD_FP f1, f1, f2"
    ),
    "vector instruction behind float ones": Program("vector", "f", 0.5, SLOW_F + "V_ADD_VF gp2, gp1, f1"),
    "register overwritten behind its reader": Program(
        "float", "f", 0.4, "V_ADD_VV gp2, gp2, gp1\n" * 4 + "V_MUL_VF gp10, gp2, f1\nS_LD_FP f1, gp0, 0"
    ),
    "chain of rows": Program("vector", "row", 0.5, "V_ADD_VV gp1, gp1, gp2\n" * 4),
    "product behind vector rows": Program(
        "matrix", "row", 0.4, "V_ADD_VV gp1, gp1, gp2\n" * 6 + "M_MM 0, gp0, gp1"
    ),
    "vector row behind a write-out": Program(
        "vector", "row", 0.5, "M_MM 0, gp0, gp2\nM_MM_WO gp10, gp0, 0\nV_EXP_V gp10, gp10"
    ),
    "vector row behind a prefetch": Program(
        "vector", "row", 0.8, "H_PREFETCH_V gp1, gp0, a0, 0, 0\nV_EXP_V gp10, gp1", 10, latency=400
    ),
    "product behind its tile": Program(
        "matrix", "tile", 0.8, "H_PREFETCH_M gp0, gp0, a0, 0, 0\nM_MM 0, gp0, gp10", 10, latency=400
    ),
    "prefetch into a tile in use": Program(
        "hbm",
        "tile",
        0.4,
        "V_RED_SUM f1, gp1\n" * 7
        + "V_ADD_VF gp10, gp10, f1\nM_MM 0, gp0, gp10\nH_PREFETCH_M gp0, gp0, a0, 0, 0",
        20,
        latency=1,
    ),
    "store behind vector rows": Program(
        "hbm",
        "row",
        0.4,
        "V_RED_SUM f1, gp1\n" * 7 + "V_ADD_VF gp10, gp10, f1\nH_STORE_V gp10, gp0, a0, 0, 0",
        latency=1,
        most=0.75,
    ),
    "map behind a store": Program(
        "vector", "fp_mem", 0.6, SLOW_F + "S_ST_FP f1, gp0, 3\nS_MAP_V_FP gp1, gp0, 0"
    ),
    "load behind a top-k": Program("float", "fp_mem", 0.6, "V_TOPK gp0, gp1, gp0, 0\nS_LD_FP f1, gp0, 1"),
    "store behind a map": Program(
        "float", "fp_mem", 0.4, "V_ADD_VV gp1, gp1, gp2\n" * 4 + "S_MAP_V_FP gp10, gp0, 0\nS_ST_FP f1, gp0, 0"
    ),
    "stores and loads in turn": Program(
        "hbm",
        "order",
        0.8,
        "H_STORE_V gp1, gp0, a0, 0, 0\nH_PREFETCH_V gp10, gp7, a0, 0, 0",
        10,
        latency=400,
    ),
    "prefetches of a slow memory": Program(
        "hbm", "bus", 0.6, "H_PREFETCH_V gp1, gp0, a0, 0, 0", 10, latency=400
    ),
    "two rows of one bank": Program("vector", "bank", 0.4, "V_ADD_VV gp11, gp1, gp9", 80, exact=80),
    "load beside maps": Program(
        "float",
        "bank",
        0.1,
        "V_RED_SUM f1, gp1\nV_ADD_VF gp11, gp2, f1\n"
        + "S_MAP_V_FP gp10, gp0, 0\n" * 5
        + "S_LD_FP f1, gp0, 0",
        60,
        exact=300,
        most=0.2,
    ),
    "maximum beside a sum": Program(
        "vector",
        "busy",
        0.07,
        "V_RED_SUM f1, gp1\nV_EXP_V gp11, gp2\nV_RED_MAX f2, gp10\n" + "V_EXP_V gp11, gp2\n" * 9,
        60,
        exact=60,
    ),
    "write-outs without products": Program(
        "matrix", "busy", 0.3, "M_MM 0, gp0, gp1\n" + "M_MM_WO gp11, gp0, 0\n" * 4
    ),
    "products": Program("dispatch", "matrix_full", 0.5, "M_MM 0, gp0, gp1\n" * 8),
    "vector instructions": Program("dispatch", "vector_full", 0.5, "V_ADD_VV gp1, gp1, gp2\n" * 8),
    "float instructions": Program("dispatch", "float_full", 0.46, "S_EXP_FP f1, f1\n" * 8),
    "prefetches": Program(
        "dispatch", "hbm_full", 0.5, "H_PREFETCH_V gp1, gp0, a0, 0, 0\n" * 2, 20, latency=100
    ),
    "a long way": Program("dispatch", "fetch", 0.6, "S_ADDI_INT gp3, gp3, 1\n" * 1500, 0, latency=400),
    "integer loads": Program("dispatch", "int_mem", 0.4, "S_LD_INT gp3, gp0, 0\n" * 16),
    "integer load behind a top-k": Program(
        "dispatch", "int_mem", 0.6, "V_TOPK gp0, gp1, gp0, 0\nS_LD_INT gp3, gp0, 1"
    ),
    "transfers one after the other": Program(
        "dispatch",
        "drain",
        0.5,
        "H_STORE_V gp1, gp0, a0, 0, 0\nH_PREFETCH_V gp10, gp7, a0, 0, 0\n" * 2,
        0,
        latency=400,
        most=0.7,
    ),
}  # fmt: skip
