"""The verdict stage by stage: what is right passes, and each mutant is caught by its own stage."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from plena_ref.kernels.cache_store import CacheStore
from plena_ref.kernels.language_model.decoder_layers import DecoderLayers
from plena_ref.kernels.language_model.tile_stream import TileStream
from plena_ref.kernels.program import F0, GP0, Program
from plena_ref.kernels.residual_add import ResidualAddKernel
from plena_ref.kernels.rms_norm import RmsNormKernel
from plena_ref.kernels.rope import RopeKernel
from plena_ref.kernels.swiglu import SwigluKernel
from plena_ref.machine.reference import Machine
from plena_ref.verdict.stages import Stage, StageVerdict, StageWatch, first_wrong, judge_stage
from plena_ref.workloads.build import build
from plena_ref.workloads.case import make_case
from tests.kernels.checking import hardware

Patch = Callable[[pytest.MonkeyPatch], None]


def run_stages(**values: object) -> list[StageVerdict]:
    """The stages of a reduced layer on the reference machine."""
    values = {"model": "reduced", "batch": 2, "seq": 3, "past": 9, **values}
    workload = build(make_case("l", hardware=hardware(16, 4), kernel="decoder_layer", sigma=1.0, **values))
    machine = Machine(workload.hardware, workload.images, workload.limit)
    watch = StageWatch(workload.stages, machine.images)
    assert machine.run(workload.words, watch=watch).status == "stopped"
    return watch.verdicts


class Changed:
    """A program some of whose instructions are others."""

    def __init__(self, p: Program, **changes: Callable[..., None]) -> None:
        self._p, self._changes = p, changes

    def __getattr__(self, name: str) -> object:
        return self._changes.get(name) or getattr(self._p, name)


def no_norm_weight(patch: pytest.MonkeyPatch) -> None:
    scale = RmsNormKernel._scale

    def without(kernel: RmsNormKernel, p: Program, *rest: object) -> None:
        scale(kernel, Changed(p, V_MUL_VV=lambda row, x, _weight: p.V_ADD_VF(row, x, F0)), *rest)

    patch.setattr(RmsNormKernel, "_scale", without)


def half_of_rope(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RopeKernel, "_add", lambda *_: None)


def swapped_gate_and_up(patch: pytest.MonkeyPatch) -> None:
    made = SwigluKernel.__init__
    patch.setattr(
        SwigluKernel, "__init__", lambda kernel, hw, gate, up, *rest: made(kernel, hw, up, gate, *rest)
    )


def another_cache(patch: pytest.MonkeyPatch) -> None:
    """Keys of what lies a cache further."""
    made = DecoderLayers._attention
    patch.setattr(
        DecoderLayers,
        "_attention",
        lambda layers, layer, head: made(layers, replace(layer, keys=layer.values), head),
    )


def no_residual(patch: pytest.MonkeyPatch) -> None:
    emit = ResidualAddKernel.emit

    def without(kernel: ResidualAddKernel, p: Program) -> None:
        emit(kernel, Changed(p, V_ADD_VV=lambda row, _x, y: p.V_SHFT_V(row, y, GP0)))

    patch.setattr(ResidualAddKernel, "emit", without)


def late_cache(patch: pytest.MonkeyPatch) -> None:
    made = CacheStore.__init__

    def late(store: CacheStore, hw: object, rows: object, cache: object, per: int, at: int, room: object):
        made(store, hw, rows, cache, per, at + 1, room)

    patch.setattr(CacheStore, "__init__", late)


def missing_panel(patch: pytest.MonkeyPatch) -> None:
    """The second panel of the stream is the first one again."""
    made = TileStream.next_panel

    def wrong(stream: TileStream) -> range:
        tiles = made(stream)
        return range(len(tiles)) if tiles.start == len(tiles) else tiles

    patch.setattr(TileStream, "next_panel", wrong)


MUTANTS: dict[str, tuple[Patch, str]] = {
    "norm weight skipped": (no_norm_weight, "attention norm"),
    "half of RoPE": (half_of_rope, "rotated q"),
    "gate and up swapped": (swapped_gate_and_up, "activation"),
    "keys of another cache": (another_cache, "attention"),
    "residual left out": (no_residual, "attention residual"),
    "cache one row late": (late_cache, "k cache"),
    "a panel twice": (missing_panel, "q"),
}


def test_every_stage_of_every_layer_passes() -> None:
    verdicts = run_stages(layers=2)
    assert [v.reason for v in verdicts if not v.passed] == []
    names = [(v.stage.layer, v.stage.name) for v in verdicts]
    assert len(names) == len(set(names)) == 2 * 17
    assert names[0] == (0, "attention norm") and names[-1] == (1, "mlp residual")
    places = [verdict.pcs for verdict in verdicts if verdict.pcs is not None]
    assert len(places) == len(names) and all(first < stop for first, stop in places)


def test_bounds_are_tight() -> None:
    """Within 3% of the size of what they judge; the bound of a product is nearly reached."""
    for verdict in run_stages():
        assert verdict.bound <= 0.03 * verdict.size, verdict.stage.name
    assert max(v.ratio for v in run_stages() if v.stage.name in ("q", "gate", "down")) > 0.8


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught_by_its_own_stage(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patch, stage = MUTANTS[mutant]
    patch(monkeypatch)
    verdicts = run_stages()
    found = first_wrong(verdicts)
    assert found is not None and found.stage.name == stage
    assert found.reason.startswith(f"layer 0, {stage} (")
    assert re.search(r" times the bound; pc \d+ to \d+$", found.reason)


def constant(value: float, bound: float) -> Stage:
    """A stage that must be `value`."""
    size = (1, 2, 3)
    return Stage(
        4, "s", "o", (), lambda _: np.zeros(size), lambda: np.full(size, value), lambda: np.full(size, bound)
    )


def test_the_worst_element_is_named() -> None:
    got = np.ones((1, 2, 3))
    got[0, 1, 2] = 1.5
    verdict = judge_stage(constant(1.0, 0.1), [], got)
    assert (verdict.batch, verdict.row, verdict.column) == (0, 1, 2) and not verdict.passed
    assert verdict.reason == (
        "layer 4, s (o): batch 0, row 1, column 2 is 1.5, float64 of what it read 1: 5 times the bound"
    )


def test_parts_of_a_stage_are_one_verdict() -> None:
    """The worst part is named, by its column in the whole; sizes and bounds are those of all parts."""
    first = judge_stage(constant(1.0, 0.1), [], np.ones((1, 2, 3)))
    got = np.full((1, 2, 3), 7.0)
    got[0, 1, 2] = 7.5
    second = judge_stage(replace(constant(7.0, 0.4), column=3), [], got)
    both = first.joined(second)
    assert both == second.joined(first) and not both.passed
    assert (both.batch, both.row, both.column, both.elements) == (0, 1, 5, 12)
    assert (both.size, both.bound) == (5.0, pytest.approx(0.25))


def test_nan_and_exact_stages() -> None:
    got = np.ones((1, 2, 3))
    assert judge_stage(constant(1.0, 0.0), [], got).passed
    got[0, 0, 1] = np.nan
    assert judge_stage(constant(1.0, 0.1), [], got).ratio == np.inf


def test_a_bound_that_says_nothing_is_refused() -> None:
    verdict = judge_stage(constant(1.0, 0.3), [], np.ones((1, 2, 3)))
    assert verdict.ratio == 0 and not verdict.passed and "says nothing" in verdict.reason


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"s: output \(2,\), golden"):
        judge_stage(constant(1.0, 0.3), [], np.ones(2))
