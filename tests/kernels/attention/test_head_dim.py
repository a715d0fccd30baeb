"""Heads of any width on the reference machine: below, equal to and above MLEN, a multiple of BLEN or not.

A head's columns are padded to whole column blocks of MLEN. P V is made in groups of BLEN columns, so that the
last group of a head may be partly padding, which must come out as 0.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.layout.rules import round_up
from plena_ref.machine.hardware import Hardware
from plena_ref.verdict.accuracy import result_values
from plena_ref.workloads.attention import Attention
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from tb.system.random_cases import DECODE, SINKS, WINDOWS
from tests.cases import with_problem
from tests.kernels.checking import check, hardware

#: The kernels that take heads of any width.
ANY_WIDTH = [name for name in Attention.kernels if name != "packed_attention"]

#: MLEN, BLEN, HEAD_DIM.
WIDTHS = [
    (64, 16, 8),
    (64, 16, 24),
    (64, 16, 72),
    (64, 16, 127),
    (64, 8, 20),
    (64, 32, 80),
    (64, 64, 16),
    (16, 16, 8),
    (16, 16, 72),
    (16, 8, 9),
    (16, 4, 10),
    (16, 4, 14),
    (8, 8, 100),
]


def padded_head(kernel: str, mlen: int, blen: int, head_dim: int) -> Case:
    """Two batches of grouped queries behind a KV cache; with a window and sinks where the kernel has them."""
    return make_case(
        "width",
        hardware=hardware(mlen, blen, vram_elems=1 << 19),
        batch=2,
        seq=1 if kernel in DECODE else mlen // 2 + 3,
        kv_seq=mlen + mlen // 2 + 5,
        heads=4,
        kv_heads=2,
        head_dim=head_dim,
        causal=True,
        sigma=1.0,
        kernel=kernel,
        window=mlen + 3 if kernel in WINDOWS else None,
        sinks=kernel in SINKS,
    )


@pytest.mark.parametrize(("mlen", "blen", "head_dim"), WIDTHS)
@pytest.mark.parametrize("kernel", ANY_WIDTH)
def test_heads_of_any_width(kernel: str, mlen: int, blen: int, head_dim: int) -> None:
    """Right, nothing else written, and the padding columns of every active row of O are +0."""
    case = padded_head(kernel, mlen, blen, head_dim)
    workload = build(case)
    machine = check(case)
    rows = workload.comparison.extract(machine.images.vram)
    heads = rows.reshape(len(rows), case.problem.heads, workload.head_cols)
    assert workload.head_cols == round_up(head_dim, mlen)
    assert not heads[:, :, head_dim:].any()
    assert result_values(workload, machine.images.vram).shape == (2, case.problem.seq, 4, head_dim)


@pytest.mark.parametrize("kernel", ANY_WIDTH)
@pytest.mark.parametrize("values", [{}, {"causal": False, "window": None}, {"packed_output": True}], ids=str)
def test_one_head_masks_and_outputs(kernel: str, values: dict[str, object]) -> None:
    """Three batches of as many heads of K and V as of Q, without a cache where queries may be several."""
    case = padded_head(kernel, 16, 8, 20)
    kv_seq = case.problem.kv_seq if kernel in DECODE else case.problem.seq
    check(with_problem(case, batch=3, heads=3, kv_heads=3, sinks=False, kv_seq=kv_seq, **values))


@pytest.mark.parametrize("kernel", ["attention", *DECODE])
@pytest.mark.parametrize("key_tiles", [1, 2])
@pytest.mark.parametrize("head_dim", [9, 20, 37])
def test_few_matrix_tiles(kernel: str, key_tiles: int, head_dim: int) -> None:
    """Keys and values take turns in MSRAM, and P V of several blocks of keys is added up."""
    case = padded_head(kernel, 16, 8, head_dim)
    tiles = key_tiles * 2 * -(-head_dim // 16)
    few = replace(case, hardware=replace(case.hardware, msram_tiles=tiles))
    check(with_problem(few, kv_seq=70, window=None))


@pytest.mark.parametrize("kernel", ANY_WIDTH)
@pytest.mark.parametrize(("head_dim", "padded"), [(1, 8), (20, 24), (57, 64), (65, 72)])
def test_the_program_is_that_of_the_padded_head(kernel: str, head_dim: int, padded: int) -> None:
    """Elements behind the head are zeros of the tensors, not a matter of the program; BLEN is 8."""
    case = padded_head(kernel, 64, 8, head_dim)
    assert build(case).words == build(with_problem(case, head_dim=padded)).words


@pytest.mark.parametrize(
    ("mlen", "blen", "head_dim", "groups"),
    [(64, 16, 8, [1]), (64, 16, 64, [4]), (64, 16, 72, [4, 1]), (16, 16, 40, [1, 1, 1]), (16, 4, 9, [3])],
)
def test_column_groups(mlen: int, blen: int, head_dim: int, groups: list[int]) -> None:
    hw, shape = Hardware(mlen, blen), AttentionShape(1, 1, 1, 1, head_dim, causal=False)
    assert [shape.column_groups(hw, block) for block in range(-(-head_dim // mlen))] == groups


def test_a_head_that_msram_cannot_hold_is_refused() -> None:
    case = padded_head("attention", 16, 8, 33)
    with pytest.raises(CaseError, match=r"MSRAM_TILES >= 2\*ceil\(HEAD_DIM/MLEN\) = 6 \(got 5\)"):
        build(replace(case, hardware=replace(case.hardware, msram_tiles=5)))
