"""The embedding on the reference machine: sizes, the first and the last row, and ids past it."""

from __future__ import annotations

import pytest

from plena_ref.machine.reference import Machine
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.registry import CASES
from tests.kernels.checking import check, hardware


def embedding(mlen: int = 16, vpref: int = 4, **values: object) -> Case:
    """A case on a machine with small memories."""
    return make_case("e", hardware=hardware(mlen, 4, vpref=vpref), kernel="embedding", **values)


def test_the_registered_case_passes() -> None:
    check(CASES["embedding"])


@pytest.mark.parametrize("features", [1, 16, 17, 40])
@pytest.mark.parametrize(("vocabulary", "vpref"), [(1, 4), (33, 1), (64, 7)])
def test_sizes(features: int, vocabulary: int, vpref: int) -> None:
    check(embedding(vpref=vpref, features=features, vocabulary=vocabulary, batch=2, seq=3))


@pytest.mark.parametrize("mlen", [8, 16, 32])
@pytest.mark.parametrize("features", [8, 40])
@pytest.mark.parametrize("vocabulary", [1, 7, 64, 65])
def test_ids_past_the_last_row_trap(mlen: int, features: int, vocabulary: int) -> None:
    """The same program, with other ids in INT_MEM: the last is legal, the next and a far one are not."""
    case = embedding(mlen, features=features, vocabulary=vocabulary, seq=1)
    workload = build(case)
    for token, cause in (
        (0, None),
        (vocabulary - 1, None),
        (vocabulary, "HBM_ERROR"),
        (vocabulary + 1, "HBM_ERROR"),
        (100_000, "HBM_ERROR"),
    ):
        images = workload.images.copy()
        images.intmem[0] = token
        assert Machine(case.hardware, images, workload.limit).run(workload.words).cause == cause


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ids": "0,32,33"}, r"token 2 has id 33: the table has rows 0 to 32 \(VOCABULARY = 33\)"),
        ({"ids": "0,-1,2"}, "token 1 has id -1"),
        ({"ids": "0,1"}, r"IDS must be BATCH\*SEQ = 3 numbers \(got 2\)"),
        ({"ids": "0,x,1"}, "IDS must be numbers"),
        ({"vocabulary": 0}, "VOCABULARY must be at least 1"),
        ({"vocabulary": 100_000}, "HBM is full: embedding table needs .* HBM_BYTES = 1048576"),
    ],
)
def test_what_the_host_refuses(values: dict[str, object], message: str) -> None:
    with pytest.raises(CaseError, match=message):
        build(embedding(**{"features": 40, "vocabulary": 33, "seq": 3, **values}))


def test_given_ids_are_looked_up() -> None:
    check(embedding(features=40, vocabulary=33, seq=3, ids="32,0,32"))
