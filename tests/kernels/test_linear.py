"""The linear layer on the reference machine: shapes, the ring of tiles, and what it may touch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plena_ref.kernels.linear import LinearKernel
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import region_mask
from plena_ref.verdict.tolerance import STRICT
from plena_ref.workloads.base import CaseError, Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.registry import CASES, command
from tests.kernels import checking
from tests.kernels.checking import executed


def check(case: Case) -> Workload:
    """Build and run a case; accurate, and exactly what the kernel declares is written."""
    machine, workload = checking.check(case), build(case)
    for memory in ("vram", "msram", "fpmem", "intmem", "hbm"):
        written = getattr(machine.written, memory)
        declared = region_mask([*workload.outputs, *workload.scratch], memory, len(written))
        np.testing.assert_array_equal(written, declared, err_msg=memory)
    return workload


def linear(mlen: int, blen: int, in_features: int, out_features: int, **values: object) -> Case:
    """A case on a machine with small memories; `msram_tiles` belongs to the machine."""
    tiles = values.pop("msram_tiles", 64)
    hw = Hardware(mlen, blen, vram_elems=1 << 16, hbm_bytes=1 << 18, msram_tiles=tiles)
    shape = {"in_features": in_features, "out_features": out_features}
    return make_case("layer", hardware=hw, kernel="linear", tolerance=STRICT, **shape, **values)


def test_the_registered_layer_passes() -> None:
    check(CASES["linear"])


#: Features and rows below, at and above a tile; rows and features that fill no block or tile.
each_shape = pytest.mark.parametrize(
    ("mlen", "blen", "in_features", "out_features", "batch", "seq"),
    [
        (8, 4, 8, 4, 1, 1),
        (8, 8, 70, 24, 2, 9),
        (16, 4, 1, 20, 1, 4),
        (16, 4, 100, 100, 3, 7),
        (16, 4, 100, 112, 3, 7),
        (16, 16, 48, 64, 1, 33),
        (32, 8, 95, 40, 2, 32),
        (64, 16, 130, 144, 1, 5),
    ],
)


@each_shape
def test_shapes(mlen: int, blen: int, in_features: int, out_features: int, batch: int, seq: int) -> None:
    check(linear(mlen, blen, in_features, out_features, batch=batch, seq=seq))


@pytest.mark.parametrize("tiles", [7, 8, 10, 13, 14, 20, 21])
@pytest.mark.parametrize("seq", [1, 5, 16])
def test_each_tile_is_fetched_once_however_small_the_ring(tiles: int, seq: int) -> None:
    """Five panels of seven tiles in rings of seven and more; as many tiles a block as it takes to keep up."""
    counts = executed(check(linear(16, 4, 112, 80, seq=seq, msram_tiles=tiles)).words)
    assert counts["H_PREFETCH_M"] == 5 * 7
    groups = -(-seq // 4)
    assert (counts["M_MM"], counts["M_MM_WO"]) == (20 * groups * 7, 20 * groups)


@pytest.mark.parametrize("tiles", [1, 2, 3, 6])
@pytest.mark.parametrize("bias", [False, True])
def test_panels_that_msram_does_not_hold(tiles: int, bias: bool) -> None:
    """The tiles go by for each block of results, so that it is still rounded once."""
    case = linear(16, 4, 112, 36, seq=5, msram_tiles=tiles, bias=bias)
    counts = executed(check(case).words)
    assert counts["H_PREFETCH_M"] == counts["M_MM"] == 9 * 2 * 7
    result = build(case).comparison.extract(checking.run(build(case)).images.vram)
    whole = linear(16, 4, 112, 36, seq=5, bias=bias)
    np.testing.assert_array_equal(
        result, build(whole).comparison.extract(checking.run(build(whole)).images.vram)
    )


def test_a_tile_that_is_lost_changes_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ring without regard for the tiles in use overwrites one before its last product; that is noticed."""
    case = linear(16, 4, 112, 32, seq=16, msram_tiles=7)
    check(case)
    real = LinearKernel._next_tiles
    monkeypatch.setattr(LinearKernel, "_next_tiles", lambda kernel, stop: real(kernel, stop + 1))
    with pytest.raises(AssertionError, match="batch 0"):
        check(case)


@each_shape
def test_bias(mlen: int, blen: int, in_features: int, out_features: int, batch: int, seq: int) -> None:
    """One panel and several; the padding columns are cleared and stay 0."""
    case = linear(mlen, blen, in_features, out_features, batch=batch, seq=seq, bias=True)
    workload = check(case)
    result = workload.comparison.extract(checking.run(workload).images.vram)
    assert not result[:, out_features:].any()


def test_a_bias_costs_the_array_nothing() -> None:
    """The same products, and a row instruction for each row and column block."""
    plain, biased = (executed(build(linear(16, 4, 100, 48, seq=16, bias=bias)).words) for bias in (0, 1))
    assert biased["V_ADD_VV"] == 16 * 3
    assert {name: biased[name] for name in plain if name[0] in "MH"} == {
        name: count for name, count in plain.items() if name[0] in "MH"
    }


@pytest.mark.parametrize("wrong", ["none", "first panel's for all", "added twice"])
def test_a_wrong_bias_is_found(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    add = LinearKernel._add_bias

    def mistaken(kernel: LinearKernel, panel: int) -> None:
        if wrong == "added twice":
            add(kernel, panel)
            add(kernel, panel)
        elif wrong != "none":
            bias = kernel.bias
            kernel.bias = replace(bias, base=bias.base - panel * bias.mlen)
            add(kernel, panel)
            kernel.bias = bias

    monkeypatch.setattr(LinearKernel, "_add_bias", mistaken)
    assert "batch 0" in checking.rejected(CASES["linear_bias"])


def test_the_registered_layer_with_bias_passes() -> None:
    check(CASES["linear_bias"])


def test_attention_has_no_features() -> None:
    with pytest.raises(
        CaseError, match="KERNEL = attention has no IN_FEATURES; it belongs to KERNEL = linear"
    ):
        CASES["mha"].override(IN_FEATURES=64)
    with pytest.raises(CaseError, match="KERNEL = linear needs OUT_FEATURES"):
        CASES["mha"].override(KERNEL="linear", IN_FEATURES=64)
    layer = CASES["mha"].override(KERNEL="linear", IN_FEATURES=64, OUT_FEATURES=32)
    assert layer.problem.describe() == "batch 1, seq 4, 64 to 32 features"
    assert command(layer) == "make sim TEST=mha IN_FEATURES=64 OUT_FEATURES=32 KERNEL=linear"
