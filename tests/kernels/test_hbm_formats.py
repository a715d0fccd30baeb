"""Every kernel on machines whose HBM holds other formats: the verdict passes, to the same bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plena_ref.workloads.families import KERNELS
from tests.kernels.checking import check
from tests.kernels.test_contract import case_of

FORMATS = {
    "plena": {"element": "plena"},
    "bf16": {"hbm_bf16": "m0,m1,v0,v1"},
}


@pytest.mark.parametrize("formats", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_do_not_care_how_rows_lie(kernel: str, formats: dict[str, str]) -> None:
    case = case_of(kernel)
    case = replace(case, hardware=replace(case.hardware, **formats))
    check(case)
