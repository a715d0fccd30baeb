"""Where a result lies: each mode of the parameters against the words counted one by one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tb.peer import comparison
from tb.peer.errors import PeerError

BASE = {"start_row_idx": 5, "num_rows": 40, "num_batches": 6, "elements_per_batch": 24, "row_dim": 8}


def read(folder: Path, **values: object) -> comparison.Comparison:
    given = {key: value for key, value in (BASE | values).items() if value is not None}
    (folder / comparison.FILE).write_text(json.dumps(given))
    return comparison.read(folder)


def test_column_blocks_and_batches(tmp_path: Path) -> None:
    params = read(tmp_path, physical_rows=10, rows_per_batch=5, active_seq_per_batch=3)
    assert params.batch == 2
    places = params.places(20)
    for i in range(6):
        for c in range(20):
            physical = (i // 3) * 5 + i % 3
            assert places[i, c] == (5 + c // 8 * 10 + physical) * 8 + c % 8
    assert params.end == 45 * 8


def test_without_batches_rows_follow_one_another(tmp_path: Path) -> None:
    params = read(tmp_path)
    assert params.batch == 1 and params.use_stride_mode and params.physical_rows == 6
    assert params.places(24)[5, 23] == (5 + 2 * 6 + 5) * 8 + 7
    assert (params.atol, params.rtol, params.match_percent) == (0.2, 0.2, 90.0)


def test_rows_without_column_blocks(tmp_path: Path) -> None:
    wide = read(tmp_path, use_stride_mode=False)
    assert wide.places(24)[2, 3] == 5 * 8 + 2 * 24 + 3
    narrow = read(tmp_path, use_stride_mode=False, elements_per_batch=8)
    assert narrow.places(8)[2, 3] == (5 + 2) * 8 + 3
    batched = read(
        tmp_path, use_stride_mode=False, elements_per_batch=8, rows_per_batch=5, active_seq_per_batch=3
    )
    assert batched.places(8)[4, 3] == (5 + 5 + 1) * 8 + 3
    packed = read(tmp_path, use_stride_mode=False, elements_per_batch=4, num_rows=3)
    assert np.array_equal(packed.places(4).reshape(-1), 40 + np.arange(24))


def test_slices_keep_leading_columns(tmp_path: Path) -> None:
    params = read(tmp_path, use_stride_mode=False, use_slice_mode=True, slice_per_row=3, elements_per_batch=8)
    assert params.columns(8) == params.columns(3) == 3
    assert params.places(3)[4].tolist() == [72, 73, 74]
    assert read(tmp_path, slice_per_row=3).slice_per_row is None


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"num_batches": None}, "num_batches: is missing"),
        ({"start_row_idx": -1}, "start_row_idx: -1 is no integer from 0 up"),
        ({"row_dim": 8.5}, "row_dim: 8.5 is no integer"),
        ({"atol": "wide"}, "atol: 'wide' is no number"),
        ({"atol": float("inf")}, "atol: inf is no number"),
        ({"use_stride_mode": 1}, "use_stride_mode: 1 is neither true nor false"),
        ({"active_seq_per_batch": 4}, "num_batches: 6 is no multiple of active_seq_per_batch = 4"),
        ({"active_seq_per_batch": 3, "rows_per_batch": 2}, "rows_per_batch: 2 is less than"),
        ({"use_slice_mode": True}, "slice_per_row: None is no integer"),
    ],
)
def test_odd_parameters_are_refused(values: dict[str, object], why: str, tmp_path: Path) -> None:
    with pytest.raises(PeerError, match=rf"comparison_params\.json: {why}"):
        read(tmp_path, **values)


def test_no_object_is_refused(tmp_path: Path) -> None:
    for text, why in (("{", "no JSON"), ("[]", "must be an object")):
        (tmp_path / comparison.FILE).write_text(text)
        with pytest.raises(PeerError, match=why):
            comparison.read(tmp_path)


def test_more_golden_columns_than_the_result_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="elements_per_batch: 24, but the golden has 25 columns"):
        read(tmp_path).columns(25)
