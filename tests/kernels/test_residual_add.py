"""The residual add on the reference machine."""

from __future__ import annotations

import pytest

from plena_ref.workloads.base import CaseError
from plena_ref.workloads.case import make_case
from plena_ref.workloads.registry import CASES
from tests.kernels.checking import check, hardware


@pytest.mark.parametrize("features", [1, 15, 16, 17, 40])
@pytest.mark.parametrize(("batch", "seq"), [(1, 1), (2, 5)])
@pytest.mark.parametrize("data", ["normal", "outliers"])
def test_sizes(features: int, batch: int, seq: int, data: str) -> None:
    check(
        make_case(
            "add",
            hardware=hardware(16, 4),
            kernel="residual_add",
            batch=batch,
            seq=seq,
            features=features,
            data=data,
        )
    )


def test_the_registered_case_passes() -> None:
    check(CASES["residual_add"])


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(CaseError, match="FEATURES must be at least 1"):
        CASES["residual_add"].override(features=0)
