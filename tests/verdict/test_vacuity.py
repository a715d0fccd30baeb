"""Wrong results are refused, or the verdict says that it cannot tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plena_ref.verdict.accuracy import accurate
from plena_ref.verdict.vacuity import Vacuity, prove, wrong_results
from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES

GOLDEN = np.random.default_rng(0).standard_normal((2, 3, 2, 8))


def vacuity(work: Workload) -> Vacuity:
    wrong = {**wrong_results(work.golden), **work.case.problem.wrong_results(work.case)}
    return prove(work.golden, work.deviation, wrong, lambda values: accurate(work, values))


def test_a_judge_that_accepts_everything_is_vacuous() -> None:
    found = prove(GOLDEN, np.full_like(GOLDEN, 0.01), wrong_results(GOLDEN), lambda _: True)
    assert set(found.vacuous) == set(wrong_results(GOLDEN)) and len(found.vacuous) == 5
    assert not found.refused and not found.not_resolvable


def test_what_the_roundings_hide_is_counted() -> None:
    found = prove(GOLDEN, np.full_like(GOLDEN, 10.0), wrong_results(GOLDEN), lambda _: True)
    assert not found.vacuous and found.not_resolvable["zeros"] == GOLDEN.size


def test_a_judge_that_refuses_is_not() -> None:
    found = prove(GOLDEN, np.full_like(GOLDEN, 0.01), wrong_results(GOLDEN), lambda _: False)
    assert not found.vacuous and len(found.refused) == 5


def test_results_that_are_no_wrong_ones_are_left_out() -> None:
    assert set(wrong_results(GOLDEN[:1, :1, :1])) == {"zeros", "sign turned"}


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("smolvlm2")])
def test_wrong_results_of_registered_cases_are_refused(name: str) -> None:
    """All of them; the two largest layers are tried when they run (tb/system/test_cases.py)."""
    found = vacuity(build(CASES[name]))
    assert len(found.refused) >= 3 and not found.vacuous and not found.not_resolvable
    assert "zeros" in found.refused and "sign turned" in found.refused


@pytest.mark.parametrize("data", ["large", "one_hot", "equal_keys", "tiny"])
@pytest.mark.parametrize("name", ["mha_ragged", "gqa_cached", "window_sinks", "long_cache", "decode_grouped"])
def test_registered_data_are_not_vacuous(name: str, data: str) -> None:
    found = vacuity(build(replace(CASES[name], data=data)))
    assert not found.vacuous
    assert "zeros" in found.refused and "sign turned" in found.refused


def test_a_missing_key_tile_is_refused() -> None:
    """At MLEN 8, 19 keys are three tiles; every row misses the one that weighs most."""
    found = vacuity(build(CASES["mha_ragged"].override(MLEN="8", BLEN="4", HLEN="8", SEQ="19")))
    assert "key tile left out" in found.refused


@pytest.mark.parametrize("keys", [64, 512, 4096])
def test_equal_keys_stay_resolvable_at_length(keys: int) -> None:
    """The sound interval grows with exp(5/256 * key tiles); the tolerance of a row does not."""
    options = {"MLEN": "8", "BLEN": "4", "HLEN": "8", "BATCH": "1", "HEAD_DIM": "8", "DATA": "equal_keys"}
    work = build(CASES["mha_ragged"].override(**options, SEQ="1", KV_SEQ=str(keys)))
    found = vacuity(work)
    assert not found.vacuous and "zeros" in found.refused


def test_equal_keys_are_resolvable_at_65_536() -> None:
    options = {"SEQ": "1", "KV_SEQ": "65536", "HEADS": "1", "HEAD_DIM": "16", "DATA": "equal_keys"}
    found = vacuity(build(CASES["mha"].override(**options, BATCH="1", KERNEL="decode_attention")))
    assert set(found.refused) == {"zeros", "sign turned", "key tile left out"}
    assert not found.vacuous and not found.not_resolvable
