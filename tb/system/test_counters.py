"""Performance counters against what does not come from them.

Work and retired instructions are recomputed from the trace, beats from the bus and from addresses; directed
programs in which one reason must dominate pin each reason to its counter; faults in the attribution show.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from plena_ref.isa import instructions as isa
from plena_ref.isa.assembler import assemble
from plena_ref.isa.counters import DISPATCH, QUEUE, QUEUES
from plena_ref.machine.hardware import Hardware
from tb.bench.harness import Job, JobResult, run
from tb.engine import simulate
from tb.fuzz.random_programs import generate
from tb.mutants.table import Mutant
from tb.mutants.trial import tree_with
from tb.system.equivalence import DIRECTED, bounded, random_images
from tb.system.instruction_work import work_of
from tb.system.test_fuzz import machine

#: Name of the counter of retired instructions, by unit of the instruction table.
INSTRUCTIONS = {
    isa.Unit.INT: "integer_instructions",
    isa.Unit.CTRL: "control_instructions",
    isa.Unit.M: "matrix_instructions",
    isa.Unit.V: "vector_instructions",
    isa.Unit.F: "float_instructions",
    isa.Unit.H: "hbm_instructions",
}


def work_in(trace: np.ndarray, hw: Hardware) -> dict[str, int]:
    """Instructions a unit, multiply-accumulates and vector rows of a trace of retired instructions."""
    totals = dict.fromkeys([*INSTRUCTIONS.values(), "macs", "vector_rows"], 0)
    for word, count in Counter(int(word) for word in trace[:, 1]).items():
        entry = isa.BY_OPCODE[isa.opcode(word)]
        macs, rows = work_of(entry.mnemonic, isa.RS3.get(word), hw)
        totals[INSTRUCTIONS[entry.unit]] += count
        totals["macs"] += count * macs
        totals["vector_rows"] += count * rows
    return totals


def check_against_trace(name: str, result: JobResult, hw: Hardware) -> None:
    """The sum rules, and everything that the trace and the bus tell about a run that began with a start."""
    counters, trace = result.counters, result.trace
    assert trace is not None
    for group in ("dispatch", *QUEUES):
        assert sum(getattr(counters, group).values()) == result.cycles, (name, group)
    cycles = Counter(int(cycle) for cycle in trace[:, 2])
    assert max(cycles, default=0) < result.cycles, name
    alone = sum(count == 1 for count in cycles.values())
    assert (counters.dispatch["one"], counters.dispatch["two"]) == (alone, len(cycles) - alone), name
    wanted = work_in(trace, hw)
    assert {key: counters.totals[key] for key in wanted} == wanted, name
    assert sum(wanted[key] for key in INSTRUCTIONS.values()) == result.instructions, name
    assert (counters.totals["read_beats"], counters.totals["write_beats"]) == result.bus_beats, name
    for unit in QUEUES:
        assert counters.totals[f"{unit}_busy"] <= result.cycles, name
    if result.status == "stopped":
        # An instruction issues once; pairs and rows are counted one by one.
        assert counters.matrix["issue"] >= wanted["macs"] // (hw.blen * hw.mlen), name
        assert counters.vector["issue"] == wanted["vector_rows"], name
        assert counters.float["issue"] == wanted["float_instructions"], name


@pytest.mark.parametrize("shape", [(16, 4, 8, 2), (8, 4, 2, 1)], ids=str)
def test_random_programs(shape: tuple[int, int, int, int]) -> None:
    """Sum rules and work in random programs with all kinds of stops, at several latencies, with pauses."""
    hw = machine(*shape)
    jobs = {}
    for number, seed in enumerate(range(700, 712)):
        program = generate(hw, seed, 250)
        jobs[f"seed {seed}"] = Job(
            program.words,
            program.images,
            program.limit,
            latency=(1, 40, 200)[number % 3],
            jitter=(0, 60)[number % 2],
            seed=seed,
            reset=number == 0,
            trace=True,
            timeout=100_000,
        )
    results = run(hw, list(jobs.values())).jobs
    for name, result in zip(jobs, results, strict=True):
        check_against_trace(name, result, hw)
    assert any(result.counters.dispatch["two"] for result in results) == (hw.dispatch_width == 2)
    for key in ("macs", "vector_rows", "read_beats", "write_beats", "fetch_lines"):
        assert sum(result.counters.totals[key] for result in results) > 0, key


def test_a_resume_goes_on_counting_and_a_start_begins_anew() -> None:
    words = assemble(
        "S_ADDI_INT gp1, gp0, 16\nV_EXP_V gp1, gp1\nC_BREAK\nV_EXP_V gp1, gp1\nS_ADD_FP f1, f1, f1\n"
    )
    jobs = [
        bounded(words, random_images(DIRECTED, 3), trace=True),
        bounded(words, None, reset=False, resume_pc=3, trace=True),
        bounded(words, None, reset=False, trace=True),
    ]
    first, second, third = run(DIRECTED, jobs).jobs
    check_against_trace("start", first, DIRECTED)
    check_against_trace("start again", third, DIRECTED)
    assert second.cycles > first.cycles
    for group in ("dispatch", *QUEUES):
        assert sum(getattr(second.counters, group).values()) == second.cycles, group
    assert first.trace is not None and second.trace is not None
    wanted = work_in(np.concatenate([first.trace, second.trace]), DIRECTED)
    assert {key: second.counters.totals[key] for key in wanted} == wanted


# Beats


def beats_of(transfers: list[tuple[str, int, int]], hw: Hardware) -> tuple[int, int]:
    """Beats read and written by transfers (mnemonic, offset, stride), by the addresses of docs/isa.md.

    A prefetch reads every beat that its element rows touch once, and so its scale rows; a store writes row by
    row the beats that the element bytes and the scale bytes of the row touch. For rows of at most a beat.
    """
    read = written = 0
    for mnemonic, offset, stride in transfers:
        rows = {"H_PREFETCH_M": hw.mlen, "H_PREFETCH_V": hw.vpref, "H_STORE_V": hw.vstore}[mnemonic]
        elements = [(offset + n * stride, hw.mlen) for n in range(rows)]
        block = hw.mx_block
        scales = [(SCALES + offset // block + n * (stride // block), hw.mlen // block) for n in range(rows)]
        for part in (elements, scales):
            spans = [set(range(at // 64, (at + size - 1) // 64 + 1)) for at, size in part]
            if mnemonic == "H_STORE_V":
                written += sum(len(span) for span in spans)
            else:
                read += len(set().union(*spans))
    return read, written


SCALES = DIRECTED.hbm_bytes * 3 // 4


def test_beats_by_address() -> None:
    """Aligned, straddling, dense and spread rows of all three transfers, each in its own program."""
    rng = np.random.default_rng(4)
    images = random_images(DIRECTED, 5)
    jobs, wanted = {}, {}
    for mnemonic in ("H_PREFETCH_M", "H_PREFETCH_V", "H_STORE_V"):
        for stride in (16, 24, 40, 64, 72, 136):
            offset = 8 * int(rng.integers(0, 400))
            name = f"{mnemonic} offset {offset} stride {stride}"
            target = 256 if mnemonic == "H_PREFETCH_M" else 64
            text = f"""
            S_LUI_INT gp1, {SCALES >> 12}
            C_SET_SCALE_REG gp1
            S_ADDI_INT gp2, gp0, {stride}
            C_SET_STRIDE_REG gp2
            S_ADDI_INT gp3, gp0, {offset}
            S_ADDI_INT gp4, gp0, {target}
            {mnemonic} gp4, gp3, a0, 1, 0
            """
            jobs[name] = bounded(assemble(text), images, reset=not jobs)
            wanted[name] = beats_of([(mnemonic, offset, stride)], DIRECTED)
    for name, result in zip(jobs, run(DIRECTED, list(jobs.values())).jobs, strict=True):
        totals = result.counters.totals
        assert (totals["read_beats"], totals["write_beats"]) == wanted[name] == result.bus_beats, name


# Reasons


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

NOT_WAITING = {"one", "two", "issue", "empty"}


def misattributed(results: dict[str, JobResult]) -> list[str]:
    """One line for each program whose reason does not dominate as it must."""
    found = []
    for name, result in results.items():
        program = PROGRAMS[name]
        states = getattr(result.counters, program.unit)
        waiting = sum(count for state, count in states.items() if state not in NOT_WAITING)
        if program.unit == "dispatch" and program.reason != "drain":
            waiting -= states["drain"]
        got = states[program.reason]
        if got < program.most * waiting or got < program.share * result.cycles:
            found.append(f"{name}: {program.reason} {got} of {waiting} waiting in {result.cycles}: {states}")
        if program.exact is not None and got != program.exact:
            found.append(f"{name}: {program.reason} {got}, exactly {program.exact} wanted: {states}")
    return found


def run_programs(
    names: list[str], simulator: str | None = None, root: Path = simulate.REPO
) -> dict[str, JobResult]:
    """Run programs of the table one after another in one simulation."""
    images = random_images(DIRECTED, 9, special_share=0.0)
    jobs = []
    for name in names:
        program = replace(PROGRAMS[name], setup=SETUP + "\n" + PROGRAMS[name].setup)
        jobs.append(
            bounded(
                program.words,
                images,
                latency=program.latency,
                reset=not jobs,
                trace=True,
            )
        )
    return dict(zip(names, run(DIRECTED, jobs, simulator, root=root).jobs, strict=True))


def test_every_reason_is_attributed_right() -> None:
    results = run_programs(list(PROGRAMS))
    for name, result in results.items():
        assert result.status == "stopped", name
        check_against_trace(name, result, DIRECTED)
    assert misattributed(results) == []


def test_every_reason_has_a_program() -> None:
    reasons = {program.reason for program in PROGRAMS.values()}
    assert reasons >= {counter.name for counter in (*DISPATCH, *QUEUE)} - NOT_WAITING


#: Faults in the attribution: the case is a program of the table, the reason what is said about it.
FAULTS = (
    Mutant(
        name="forwarded rows not counted as rows",
        file="rtl/frontend/scoreboard.sv",
        old="head_row || on_m[V0+int'(head_v)]",
        new="on_m[V0+int'(head_v)]",
        case="chain of rows",
        reason="row 0 of",
    ),
    Mutant(
        name="a withheld bank counted as a busy unit",
        file="rtl/vector/vector_unit.sv",
        old="assign head_refused = (rd_a_req && !rd_a_gnt) || (rd_b_req && !rd_b_gnt);",
        new="assign head_refused = rd_a_req && !rd_a_gnt;",
        case="two rows of one bank",
        reason="bank 0 of",
    ),
    Mutant(
        name="a full matrix queue counted as a full vector queue",
        file="rtl/frontend/frontend.sv",
        old="dispatch_state = plena_pkg::DISPATCH_MATRIX_FULL;",
        new="dispatch_state = plena_pkg::DISPATCH_VECTOR_FULL;",
        case="products",
        reason="matrix_full 0 of",
    ),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_wrong_reason_is_caught(fault: Mutant) -> None:
    """On Icarus, which compiles a faulty copy in a few seconds; without the fault the program passes."""
    simulate.require("icarus")
    with tree_with(fault) as root:
        found = misattributed(run_programs([fault.case], "icarus", root))
    assert found and fault.reason in found[0], found
