"""Attention on caches that the same program fills: every position, packed rows, two programs in a row."""

from __future__ import annotations

import pytest

from plena_ref.kernels.cache_store import CacheStore
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.registry import CASES
from tests.kernels.checking import check, hardware

HEADS = {"heads": 4, "kv_heads": 2, "head_dim": 24, "causal": True}


def cached(mlen: int, blen: int, **values: object) -> Case:
    """A case on a machine with small memories."""
    return make_case("c", hardware=hardware(mlen, blen), kernel="cached_attention", sigma=1.0, **values)


def test_the_registered_case_passes() -> None:
    check(CASES["cached_attention"])


@pytest.mark.parametrize(("mlen", "blen"), [(8, 4), (16, 4), (32, 8)])
@pytest.mark.parametrize(("seq", "past"), [(1, 37), (5, 37), (4, 0), (17, 37)])
def test_prefill_and_after_a_cache(mlen: int, blen: int, seq: int, past: int) -> None:
    check(cached(mlen, blen, batch=2, seq=seq, kv_seq=past + seq, **HEADS))


@pytest.mark.parametrize("seq", [1, 6])
def test_windows_and_sinks(seq: int) -> None:
    check(cached(16, 4, batch=2, seq=seq, kv_seq=40, window=20, sinks=True, **HEADS))


def test_the_last_position_of_a_cache_leaves_the_next_batch_alone() -> None:
    """A cache of whole tiles, filled to its end: the zeros of the store are the batch's own rows."""
    check(cached(16, 16, batch=2, seq=3, kv_seq=32, **HEADS))


def test_a_cache_written_one_row_late_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the new positions are is still NaN then."""
    made = CacheStore.__init__

    def late(store: CacheStore, hw: object, rows: object, cache: object, per: int, at: int, room: object):
        made(store, hw, rows, cache, per, at + 1, room)

    monkeypatch.setattr(CacheStore, "__init__", late)
    with pytest.raises(AssertionError):
        check(cached(16, 4, batch=2, seq=1, kv_seq=38, **HEADS))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"packed_output": False}, "PACKED_OUTPUT must be 1"),
        ({"seq": 5, "kv_seq": 4, "causal": False}, "KV_SEQ must not be below SEQ"),
    ],
)
def test_what_it_does_not_do_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(CaseError, match=message):
        cached(16, 4, **{**HEADS, **values})
