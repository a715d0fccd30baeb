"""The router of experts on the reference machine: both policies, fewer experts, ties and NaN."""

from __future__ import annotations

import pytest

from plena_ref.workloads.base import CaseError
from plena_ref.workloads.case import Case, make_case
from tests.kernels.checking import check, hardware


def router(mlen: int, **values: object) -> Case:
    """A case on a machine with small memories."""
    return make_case("r", hardware=hardware(mlen, 4), kernel="moe_router", **values)


@pytest.mark.parametrize("data", ["normal", "ties", "nan"])
@pytest.mark.parametrize("mlen", [8, 64, 128, 256])
@pytest.mark.parametrize("experts", [32, 33, 128])
def test_policies(mlen: int, experts: int, data: str) -> None:
    check(router(mlen, features=experts, batch=2, seq=3, data=data))


@pytest.mark.parametrize("experts", [4, 8, 17])
def test_fewer_experts_than_logits(experts: int) -> None:
    check(router(16, features=experts, batch=2, seq=3))


@pytest.mark.parametrize("experts", [3, 129])
def test_other_numbers_are_refused(experts: int) -> None:
    with pytest.raises(CaseError, match=rf"a router has 4 to 128 experts \(got {experts}\)"):
        router(16, features=experts)
