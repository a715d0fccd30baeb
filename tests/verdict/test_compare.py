"""The verdict: what it must catch, what it must not see, and how it is written down."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from plena_ref.machine.numerics import bf16_from_float
from plena_ref.machine.reference import Machine
from plena_ref.machine.state import MemoryImages, Registers
from plena_ref.verdict.accuracy import accuracy, allowed_misses, result_values
from plena_ref.verdict.compare import Verdict, compare
from plena_ref.verdict.memory import MEMORIES, memory_difference
from plena_ref.verdict.report import print_verdict, to_json
from plena_ref.verdict.tolerance import BF16_LIMITED, STRICT, Tolerance
from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES


@pytest.fixture(scope="module")
def finished() -> tuple[Workload, MemoryImages, Registers]:
    """A two-batch case and what the reference machine makes of it."""
    case = replace(
        CASES["mha_batch2_sub64"].override(hbm_bytes=1 << 16, vram_elems=1 << 14), tolerance=STRICT
    )
    workload = build(case)
    machine = Machine(case.hardware, workload.images.copy(), workload.limit)
    report = machine.run(workload.words)
    return workload, machine.images, report.registers


def verdict_of(
    finished: tuple[Workload, MemoryImages, Registers],
    images: MemoryImages,
    registers: Registers | None = None,
    both: bool = False,
) -> Verdict:
    """Judge `images`; with `both`, the reference holds the same."""
    workload, reference, reference_registers = finished
    got = reference_registers if registers is None else registers
    return compare(workload, images, images if both else reference, got, reference_registers)


def test_a_faithful_run_passes(finished: tuple[Workload, MemoryImages, Registers]) -> None:
    verdict = verdict_of(finished, finished[1].copy())
    assert verdict.passed and verdict.bit_exact and verdict.reasons == ()
    assert [row.rows for row in verdict.batches] == [4, 4]
    assert [row.match_percent for row in verdict.batches] == [100.0, 100.0]


@pytest.mark.parametrize("memory", MEMORIES)
def test_one_wrong_bit_anywhere_is_named(
    finished: tuple[Workload, MemoryImages, Registers], memory: str
) -> None:
    workload, reference, _ = finished
    images = reference.copy()
    region = next((r for r in (*workload.outputs, *workload.scratch) if r.memory == memory), None)
    index = region.start + 3 if region else 5
    getattr(images, memory)[index] ^= 1
    verdict = verdict_of(finished, images)
    assert not verdict.passed and len(verdict.differences) == 1
    assert f" {index}" in verdict.differences[0] and "(1 words differ)" in verdict.differences[0]
    assert verdict.out_of_bounds_writes == (0 if region else 1)


@pytest.mark.parametrize(
    ("field", "index", "name"),
    [("gp", 3, "gp3"), ("f", 2, "f2"), ("a", 7, "a7"), ("scale", None, "SCALE"), ("v_mask", None, "V_MASK")],
)
def test_one_wrong_register_is_named(
    finished: tuple[Workload, MemoryImages, Registers], field: str, index: int | None, name: str
) -> None:
    _, reference, registers = finished
    value = getattr(registers, field)
    changed = value + 1 if index is None else [v + (i == index) for i, v in enumerate(value)]
    verdict = verdict_of(finished, reference, replace(registers, **{field: changed}))
    assert not verdict.passed
    assert verdict.differences[0].startswith(f"register {name}: got")


def test_poison_left_in_the_result_fails(finished: tuple[Workload, MemoryImages, Registers]) -> None:
    workload, reference, _ = finished
    images = reference.copy()
    tensor_row = workload.outputs[0].start
    images.vram[tensor_row + 2] = 0xFFA5
    verdict = verdict_of(finished, images, both=True)
    assert verdict.bit_exact and not verdict.passed
    assert verdict.batches[0].max_abs_error == np.inf
    worst = verdict.batches[0].worst
    assert (worst.head, worst.row, worst.column) == (0, 0, 2) and np.isnan(worst.got)
    assert verdict.batches[1].passed


def test_padding_is_not_compared_but_must_not_change(
    finished: tuple[Workload, MemoryImages, Registers],
) -> None:
    workload, reference, _ = finished
    images = reference.copy()
    first_padding_row = workload.outputs[0].stop
    assert images.vram[first_padding_row] == 0xFFA5
    images.vram[first_padding_row] = 0
    verdict = verdict_of(finished, images, both=True)
    assert verdict.bit_exact and all(row.passed for row in verdict.batches)
    assert not verdict.passed and verdict.out_of_bounds_writes == 1
    assert f"VRAM element {first_padding_row}" in verdict.reasons[0]


def test_changed_inputs_count_as_stray_writes(finished: tuple[Workload, MemoryImages, Registers]) -> None:
    _, reference, _ = finished
    images = reference.copy()
    images.vram[0] ^= 1
    images.hbm[4096] ^= 1
    images.fpmem[1] ^= 1
    assert verdict_of(finished, images, both=True).out_of_bounds_writes == 3


def test_the_batch_with_the_error_is_the_one_that_fails(
    finished: tuple[Workload, MemoryImages, Registers],
) -> None:
    workload, reference, _ = finished
    images = reference.copy()
    parameters = workload.comparison
    row = parameters.start_row_idx + parameters.rows_per_batch + 2
    address = row * parameters.row_dim + 5
    images.vram[address] = bf16_from_float(np.float64(workload.golden[1, 2, 0, 5] + 0.5))
    verdict = verdict_of(finished, images, both=True)
    assert [batch.passed for batch in verdict.batches] == [True, False]
    worst = verdict.batches[1].worst
    assert (worst.head, worst.row, worst.column) == (0, 2, 5)
    assert worst.got - worst.golden == pytest.approx(0.5, abs=0.01)


def test_a_dump_of_hbm_may_be_short(finished: tuple[Workload, MemoryImages, Registers]) -> None:
    workload, reference, _ = finished
    short = replace(reference.copy(), hbm=reference.hbm[: workload.limit])
    assert verdict_of(finished, short).passed
    wrote_behind = reference.copy()
    wrote_behind.hbm[workload.limit + 7] = 0
    registers = finished[2]
    verdict = compare(workload, short, wrote_behind, registers, registers)
    assert "the reference wrote behind it" in verdict.differences[0]


def test_results_come_out_by_batch_row_head_and_column(
    finished: tuple[Workload, MemoryImages, Registers],
) -> None:
    workload, reference, _ = finished
    values = result_values(workload, reference.vram)
    assert values.shape == (2, 4, 2, 64)
    # Head 1, column 20 of a 16-wide machine: column block 4 + 1, element 4 of its row.
    address = workload.outputs[0].start + 5 * workload.comparison.physical_rows * 16 + 3 * 16 + 4
    word = int(reference.vram[address])
    assert values[0, 3, 1, 20] == np.uint32(word << 16).view(np.float32)


@pytest.mark.parametrize(
    ("elements", "tolerance", "allowed"),
    [(1000, STRICT, 0), (1000, BF16_LIMITED, 1), (999, BF16_LIMITED, 0), (8192, BF16_LIMITED, 8)],
)
def test_allowed_misses_round_down(elements: int, tolerance: Tolerance, allowed: int) -> None:
    assert allowed_misses(elements, tolerance) == allowed


def test_accuracy_has_two_bounds() -> None:
    golden = np.ones((1, 10, 10, 10))
    got = golden.copy()
    got[0, 3, 4, 5] = 1.05
    assert not accuracy(got, golden, STRICT)[0].passed
    row = accuracy(got, golden, BF16_LIMITED)[0]
    assert row.passed and row.misses == 1 and row.match_percent == pytest.approx(99.9)
    got[0, 3, 4, 5] = 1.21
    assert not accuracy(got, golden, BF16_LIMITED)[0].passed


def test_misses_add_up_over_the_batches() -> None:
    """One miss in each of two batches of 500 is more than 0.1% of the case."""
    golden = np.ones((2, 5, 10, 10))
    got = golden + 0.05 * (np.arange(500).reshape(5, 10, 10) == 0)
    rows = accuracy(got, golden, BF16_LIMITED)
    verdict = Verdict(rows, (), 0, None, allowed_misses(1000, BF16_LIMITED), BF16_LIMITED)
    assert all(row.passed for row in rows) and not verdict.passed
    assert len(verdict.reasons) == 2


def test_the_verdict_is_valid_json_even_with_nan(
    finished: tuple[Workload, MemoryImages, Registers],
) -> None:
    workload, reference, _ = finished
    images = reference.copy()
    images.vram[workload.outputs[0].start] = 0x7FC0
    text = json.dumps(to_json(verdict_of(finished, images)), allow_nan=False)
    loaded = json.loads(text)
    assert loaded["passed"] is False and loaded["bit_exact"] is False
    assert loaded["batches"][0]["max_abs_error"] == "inf"
    assert loaded["batches"][0]["worst"]["got"] == "nan"
    assert loaded["batches"][1]["worst"].keys() == {"head", "row", "column", "golden", "got"}
    assert loaded["tolerance"]["atol"] == loaded["tolerance"]["rtol"] == 0.02


def test_the_printed_table_has_a_line_a_batch(
    finished: tuple[Workload, MemoryImages, Registers],
) -> None:
    console = Console(file=io.StringIO(), width=120)
    print_verdict(verdict_of(finished, finished[1]), console)
    text = console.file.getvalue()
    assert text.count("PASS") == 3 and "FAIL" not in text
    assert "bit-exact with the reference machine: yes" in text


@pytest.mark.parametrize("word", [0, (1 << 18) - 1, 1 << 18, (1 << 19) + 4])
def test_a_difference_anywhere_in_a_large_memory_is_seen(word: int) -> None:
    """Memories are compared in stretches of 2^18 words; the last one here is short."""
    reference = np.zeros((1 << 19) + 5, np.uint8)
    got = reference.copy()
    hw = CASES["mha_batch2"].hardware
    assert memory_difference(hw, "hbm", got, reference, reference) is None
    got[word] = 1
    assert memory_difference(hw, "hbm", got, reference, reference) == (
        f"HBM byte {word}: got 0x01, reference 0x00 (1 words differ)"
    )
