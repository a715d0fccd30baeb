"""The decode kernel on the reference machine: what it fetches and multiplies, and what it refuses."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.verdict.compare import compare
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from tests.cases import with_problem
from tests.kernels.checking import executed

HARDWARE = Hardware(16, 4, vram_elems=1 << 16, hbm_bytes=1 << 20)
SIZES = {"batch": 3, "seq": 1, "kv_seq": 70, "heads": 2, "head_dim": 24}
DECODE = make_case("decode", HARDWARE, "decode_attention", causal=True, sigma=1.0, **SIZES)


def check(case: Case) -> Counter[str]:
    """Run a case: accurate, nothing else written; returns how often each instruction is executed."""
    workload = build(case)
    machine = Machine(case.hardware, workload.images.copy(), workload.limit)
    assert machine.run(workload.words).status == "stopped"
    verdict = compare(workload, machine.images, machine.images, machine.registers, machine.registers)
    assert verdict.passed, verdict.reasons
    return executed(workload.words)


@pytest.mark.parametrize("key_tiles", [32, 2, 1])
@pytest.mark.parametrize(
    ("heads", "kv_heads", "head_dim", "window", "sinks"),
    [(2, 2, 24, None, False), (8, 2, 16, None, True), (5, 1, 40, 33, False), (7, 7, 16, 3, True)],
)
def test_shapes(
    heads: int, kv_heads: int, head_dim: int, window: int | None, sinks: bool, key_tiles: int
) -> None:
    """One query head a head of K and V, several, more than BLEN; MSRAM has room for `key_tiles` tiles."""
    hw = replace(HARDWARE, msram_tiles=key_tiles * 2 * -(-head_dim // 16))
    sizes = {"batch": 2, "kv_seq": 75, "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim}
    check(with_problem(replace(DECODE, hardware=hw), window=window, sinks=sinks, **sizes))


def test_each_key_is_fetched_and_multiplied_once() -> None:
    """Three batches, two heads, five key tiles of two column blocks; a product a BLEN keys or columns."""
    counts = check(DECODE)
    assert counts["H_PREFETCH_M"] == 3 * 2 * 2 * 5 * 2
    assert counts["M_TMV"] == 3 * 2 * 5 * 4 * 2
    assert counts["M_MV"] == 3 * 2 * 5 * 6
    assert counts["M_MV_WO"] == 3 * 2 * (5 * 4 + 6)
    assert counts["M_TMM"] == counts["M_MM"] == counts["M_MM_WO"] == 0


def test_no_instruction_is_spent_on_keys_before_the_window() -> None:
    """The last 20 of 70 keys lie in tiles 3 and 4."""
    counts = check(DECODE.override(window=20))
    assert counts["H_PREFETCH_M"] == 3 * 2 * 2 * 2 * 2
    assert counts["M_TMV"] == 3 * 2 * 2 * 4 * 2
    assert counts["V_RED_MAX"] == counts["V_RED_SUM"] == 3 * 2 * 2


def test_query_heads_of_a_group_share_blocks() -> None:
    """Two query heads a head of K and V go through the array together, and its keys are fetched once."""
    counts = check(DECODE.override(kv_heads=1))
    assert counts["H_PREFETCH_M"] == 3 * 2 * 5 * 2
    assert counts["M_TMM"] == 3 * 5 * 4 * 2 and counts["M_MM"] == 3 * 5 * 6
    assert counts["M_TMV"] == counts["M_MV"] == 0
    counts = check(DECODE.override(kv_heads=1, kernel="decode_attention_one_row"))
    assert counts["M_TMV"] == 3 * 2 * 5 * 4 * 2 and counts["M_TMM"] == 0
    counts = check(DECODE.override(kernel="decode_attention_blocks"))
    assert counts["M_TMM"] == 3 * 2 * 5 * 4 * 2 and counts["M_TMV"] == 0


@pytest.mark.parametrize(
    ("heads", "head_dim", "kv_seq", "write_outs"),
    [(4, 16, 75, 1), (6, 24, 75, 3), (2, 40, 75, 1), (4, 16, 64, 2)],
)
def test_column_groups_share_an_accumulator(heads: int, head_dim: int, kv_seq: int, write_outs: int) -> None:
    """Two heads of K and V at BLEN 8: they share where all groups fit, from 5 key tiles on."""
    shape = {"heads": heads, "kv_heads": 2, "head_dim": head_dim, "kv_seq": kv_seq, "batch": 2}
    case = replace(DECODE, hardware=replace(HARDWARE, blen=8)).override(
        kernel="decode_attention_blocks", window=None, sinks=True, **shape
    )
    counts = check(case)
    key_tiles, groups, blocks = -(-kv_seq // 16), -(-head_dim // 8), -(-head_dim // 16)
    assert counts["H_PREFETCH_M"] == 2 * 2 * 2 * key_tiles * blocks
    assert counts["M_MM"] == 2 * 2 * key_tiles * groups
    assert counts["M_MM_WO"] == 2 * 2 * (key_tiles * 2 + write_outs)


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"seq": 2}, "decode attention: SEQ must be 1"),
        ({"heads": 17, "kv_heads": 1}, "decode attention: HEADS/KV_HEADS must not exceed MLEN"),
        ({"msram_tiles": 3}, "a key tile needs MSRAM_TILES >= 2"),
    ],
)
def test_what_is_refused(values: dict[str, int], rule: str) -> None:
    with pytest.raises(CaseError, match=rule):
        build(DECODE.override(**values))
