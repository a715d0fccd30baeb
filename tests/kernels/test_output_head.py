"""The output head with tied weights on the reference machine: sizes, positions, mistakes that are found."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.kernels.embedding import EmbeddingKernel
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.output_head import OutputHeadKernel
from plena_ref.kernels.program import Program
from plena_ref.machine.numerics import bf16_to_f32
from plena_ref.machine.reference import Machine
from plena_ref.verdict.accuracy import result_values
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build, place
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.registry import CASES
from tests.kernels.checking import check, hardware, rejected, run


def head(mlen: int, blen: int, **values: object) -> Case:
    """A case on a machine with small memories."""
    return make_case("head", hardware(mlen, blen, msram_tiles=16), "output_head", **values)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    ("mlen", "blen", "values"),
    [
        (16, 4, {"batch": 2, "seq": 5, "features": 44, "vocabulary": 92}),
        (8, 8, {"batch": 3, "seq": 2, "features": 20, "vocabulary": 64}),
        (32, 8, {"seq": 1, "features": 33, "vocabulary": 40}),
        (16, 4, {"batch": 2, "seq": 3, "features": 300, "vocabulary": 36, "data": "outliers"}),
    ],
)
def test_sizes(mlen: int, blen: int, values: dict[str, object], last: bool) -> None:
    """Vocabularies and features of no whole tile; the last has panels that MSRAM does not hold."""
    check(head(mlen, blen, last=last, **values))


def test_the_last_position_has_the_logits_that_it_has_among_all() -> None:
    sizes = {"batch": 2, "seq": 5, "features": 44, "vocabulary": 92}
    every, last = (build(head(16, 4, last=which, **sizes)) for which in (False, True))
    found = [result_values(work, run(work).images.vram) for work in (every, last)]
    assert found[0].shape == (2, 5, 1, 92) and found[1].shape == (2, 1, 1, 92)
    np.testing.assert_array_equal(found[0][:, -1:], found[1])


def test_the_embedding_reads_the_same_table() -> None:
    """The logit of a token's own row is the square of its length: one table serves both."""
    case = head(16, 4, seq=4, features=44, vocabulary=92)
    workload, (placed, _) = build(case), place(case)
    kernel, x = placed.operator, placed.operator.x.parent
    room = Room(case.hardware)
    room.vram.tensor("what the head has", 64, 256)
    program = Program(case.hardware)
    EmbeddingKernel(case.hardware, kernel.table, 0, x, room).emit(program)
    kernel.emit(program)
    images, ids = workload.images.copy(), [91, 0, 15, 90]
    images.intmem[: len(ids)] = ids
    machine = Machine(case.hardware, images, workload.limit)
    assert machine.run(program.finish()[0]).status == "stopped"
    rows = bf16_to_f32(images.vram[x.addresses(np.arange(4))]).astype(np.float64)
    own = result_values(workload, images.vram)[0, np.arange(4), 0, ids]
    np.testing.assert_allclose(own, (rows**2).sum(axis=1), rtol=2**-7)


def test_rows_of_the_last_tile_twice_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OutputHeadKernel, "_skipped", lambda *_: 0)
    assert "batch 0" in rejected(CASES["output_head_last"])


def test_the_first_position_in_place_of_the_last_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    point = Program.point
    with monkeypatch.context() as patch:
        patch.setattr(Program, "point", lambda p, g, t, _row=0, col=0: point(p, g, t, 0, col))
        assert "batch 0" in rejected(CASES["output_head_last"])


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"vocabulary": 90}, "VOCABULARY must be a multiple of BLEN = 4 and at least MLEN = 16"),
        ({"vocabulary": 12}, "at least MLEN = 16 .got 12."),
        ({"features": 0}, "FEATURES must be at least 1"),
        ({"vocabulary": 4096, "hbm_bytes": 65536}, "HBM is full: embedding table"),
    ],
)
def test_impossible_heads_name_their_rule(values: dict[str, object], rule: str) -> None:
    with pytest.raises(CaseError, match=rule):
        build(CASES["output_head_last"].override(**values))
