"""Performance counters against what does not come from them.

Work and retired instructions are recomputed from the trace, beats from the bus and from addresses.
"""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.isa.counters import QUEUES
from plena_ref.machine.hardware import Hardware
from tb.bench.harness import Job, run
from tb.fuzz.random_programs import generate
from tb.system.equivalence import DIRECTED, SCALES, bounded, random_images
from tb.system.instruction_work import check_against_trace, work_in
from tb.system.test_fuzz import machine


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


def beats_of(transfers: list[tuple[str, int, int]], hw: Hardware, bf16: bool = False) -> tuple[int, int]:
    """Beats read and written by transfers (mnemonic, offset, stride), by the addresses of docs/isa.md.

    A prefetch reads every beat that its element rows touch once, and so its scale rows; a store writes row by
    row the beats that the element bytes and the scale bytes of the row touch. For rows of at most a beat;
    rows of `bf16` have two bytes an element and no scales.
    """
    read = written = 0
    for mnemonic, offset, stride in transfers:
        rows = {"H_PREFETCH_M": hw.mlen, "H_PREFETCH_V": hw.vpref, "H_STORE_V": hw.vstore}[mnemonic]
        elements = [(offset + n * stride, hw.mlen * (2 if bf16 else 1)) for n in range(rows)]
        block = hw.mx_block
        scales = [(SCALES + offset // block + n * (stride // block), hw.mlen // block) for n in range(rows)]
        for part in (elements,) if bf16 else (elements, scales):
            spans = [set(range(at // 64, (at + size - 1) // 64 + 1)) for at, size in part]
            if mnemonic == "H_STORE_V":
                written += sum(len(span) for span in spans)
            else:
                read += len(set().union(*spans))
    return read, written


@pytest.mark.parametrize(
    ("hw", "bf16"),
    [(DIRECTED, False), (machine(16, 4, 16, 2, "plena", "m1,v0"), True)],
    ids=["mxfp8", "bf16"],
)
def test_beats_by_address(hw: Hardware, bf16: bool) -> None:
    """Aligned, straddling, dense and spread rows of all three transfers, each in its own program."""
    rng = np.random.default_rng(4)
    images = random_images(hw, 5)
    jobs: dict[str, Job] = {}
    wanted = {}
    for mnemonic in ("H_PREFETCH_M", "H_PREFETCH_V", "H_STORE_V"):
        precision = int(bf16 and mnemonic == "H_PREFETCH_M")
        for stride in (32, 48, 64, 80, 96, 144) if bf16 else (16, 24, 40, 64, 72, 136):
            offset = (16 if bf16 else 8) * int(rng.integers(0, 200 if bf16 else 400))
            name = f"{mnemonic} offset {offset} stride {stride}"
            target = 256 if mnemonic == "H_PREFETCH_M" else 64
            text = f"""
            S_LUI_INT gp1, {SCALES >> 12}
            C_SET_SCALE_REG gp1
            S_ADDI_INT gp2, gp0, {stride}
            C_SET_STRIDE_REG gp2
            S_ADDI_INT gp3, gp0, {offset}
            S_ADDI_INT gp4, gp0, {target}
            {mnemonic} gp4, gp3, a0, 1, {precision}
            """
            jobs[name] = bounded(assemble(text), images, reset=not jobs)
            wanted[name] = beats_of([(mnemonic, offset, stride)], hw, bf16)
    for name, result in zip(jobs, run(hw, list(jobs.values())).jobs, strict=True):
        totals = result.counters.totals
        assert (totals["read_beats"], totals["write_beats"]) == wanted[name] == result.bus_beats, name
