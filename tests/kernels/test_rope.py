"""RoPE on the reference machine: heads of every width, positions, layouts, and mistakes that are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plena_ref.kernels.rope import RopeKernel
from plena_ref.kernels.rotate_half import HeadColumns
from plena_ref.machine.numerics import bf16_to_f32
from plena_ref.verdict.compare import compare
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.registry import CASES, group
from tests.cases import with_problem
from tests.kernels.checking import check, hardware, rejected, run


def rope(head_dim: int, mlen: int = 16, hlen: int | None = None, **values: object) -> Case:
    """A case on a machine with small memories."""
    shape = {"heads": 2, "batch": 2, "seq": 3, "start": 11, **values}
    machine = hardware(mlen, 4, hlen=hlen or mlen)
    return make_case("turned", hardware=machine, kernel="rope", head_dim=head_dim, **shape)


@pytest.mark.parametrize("case", group("rope"), ids=lambda case: case.name)
def test_registered_cases_pass(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("head_dim", [2, 8, 14, 16, 18, 24, 32, 40, 64])
@pytest.mark.parametrize("in_place", [False, True])
def test_heads_below_at_and_above_the_tile(head_dim: int, in_place: bool) -> None:
    """Half a head ends within a row, at the end of one, or in a later one."""
    check(rope(head_dim, in_place=in_place))


@pytest.mark.parametrize(
    ("batch", "seq", "heads"), [(1, 1, 1), (1, 1, 40), (3, 16, 2), (2, 17, 3), (1, 70, 2)]
)
def test_rows_and_heads_that_fill_no_step(batch: int, seq: int, heads: int) -> None:
    check(rope(16, batch=batch, seq=seq, heads=heads))
    check(rope(64, batch=batch, seq=seq, heads=min(heads, 9), in_place=True))


@pytest.mark.parametrize("head_dim", [2, 4, 6, 8])
def test_heads_that_share_a_row(head_dim: int) -> None:
    check(rope(head_dim, hlen=8, heads=6, packed_heads=True))
    check(rope(head_dim, hlen=8, heads=6, packed_heads=True, in_place=True))


@pytest.mark.parametrize("start", [0, 1, 8191, 131_071])
@pytest.mark.parametrize("theta", [1.0, 1e4, 1e5, 5e5])
def test_any_position_and_base(start: int, theta: float) -> None:
    check(rope(24, start=start, theta=theta))


@pytest.mark.parametrize("data", ["outliers", "large", "one_hot", "tiny"])
def test_data_of_any_size(data: str) -> None:
    check(rope(24, data=data))


def test_position_0_changes_nothing() -> None:
    """cos = 1 and sin = 0: the bits of X come back, whatever the array has made of x*sin."""
    case = rope(24, start=0, seq=1)
    workload = build(case)
    result = workload.comparison.extract(run(workload).images.vram).reshape(2, 1, 2, 32)[..., :24]
    np.testing.assert_array_equal(bf16_to_f32(result), bf16_to_f32(case.problem.draw(case)))


@pytest.mark.parametrize("columns", [HeadColumns(24, 32, 16), HeadColumns(6, 8, 16), HeadColumns(16, 16, 16)])
def test_the_matrix_is_rotate_half(columns: HeadColumns) -> None:
    """Its square is -1 in every column of a head, and it has one term an output."""
    matrix = columns.matrix
    used = columns.angle_numbers >= 0
    np.testing.assert_array_equal(matrix @ matrix, -np.diag(used.astype(float)))
    assert (np.abs(matrix).sum(axis=0) == used).all()


SHAPES = [CASES["rope"], CASES["rope_ragged"], CASES["rope_blocks"]]


@pytest.mark.parametrize("case", SHAPES, ids=lambda case: case.name)
def test_half_of_it_is_found(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """X*cos alone."""
    monkeypatch.setattr(RopeKernel, "_add", lambda *_: None)
    assert "batch 0" in rejected(case)


@pytest.mark.parametrize("case", SHAPES, ids=lambda case: case.name)
def test_a_wrong_sign_is_found(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turned by the negative angle."""
    sources = RopeKernel._sources

    def negative(kernel: RopeKernel) -> list[tuple[int, int, str]]:
        other = {"V_ADD_VV": "V_SUB_VV", "V_SUB_VV": "V_ADD_VV"}
        return [(to, taken, other[operation]) for to, taken, operation in sources(kernel)]

    monkeypatch.setattr(RopeKernel, "_sources", negative)
    assert "batch 0" in rejected(case)


def test_positions_off_by_one_are_found() -> None:
    """Another start's tables, and another base's."""
    case = CASES["rope_ragged"]
    workload = build(case)
    got = run(workload)
    for wrong in ({"start": 8001}, {"theta": 1e4}):
        judged = build(with_problem(case, **wrong))
        verdict = compare(judged, got.images, got.images, got.registers, got.registers)
        assert not verdict.passed


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"head_dim": 7}, "RoPE needs an even HEAD_DIM"),
        ({"head_dim": 0}, "HEAD_DIM must be at least 1"),
        ({"heads": 0}, "HEADS must be at least 1"),
        ({"start": -1}, "START must not be negative"),
        ({"theta": 0.5}, "THETA must be at least 1"),
        ({"head_dim": 24, "packed_heads": True}, "heads must lie at least HEAD_DIM and a divisor"),
        ({"hlen": 8, "heads": 3, "packed_heads": True}, "HEADS must be a multiple of LANES"),
        ({"head_dim": 72, "msram_tiles": 4}, "rotate_half needs MSRAM_TILES >= 10"),
        ({"features": 4}, "KERNEL = rope has no FEATURES"),
    ],
)
def test_what_cannot_be_turned_names_its_rule(values: dict[str, object], rule: str) -> None:
    with pytest.raises(CaseError, match=rule):
        CASES["rope_ragged"].override(**values)


def test_what_does_not_fit_is_named() -> None:
    case = rope(24, seq=400)
    few = replace(case.hardware, vram_elems=1 << 16)
    with pytest.raises(CaseError, match="VRAM is full: Y needs"):
        build(replace(case, hardware=few))
