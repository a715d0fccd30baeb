"""Words by name: rows and columns in few words, batches and heads, tensors that share words."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region
from plena_ref.machine.tensors import NamedTensor, plain
from plena_ref.workloads.build import build
from plena_ref.workloads.case import make_case
from tb.diagnosis.names import Names, numbers

HW = Hardware(16, 4)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([7], "7"),
        ([3, 4, 5], "3-5"),
        ([1, 5, 9, 13], "1, 5, 9, 13 (mod 4 = 1)"),
        ([2, 9], "2, 9"),
        ([0, 1, 5], "0, 1, 5"),
        (list(range(3, 64, 4)), "3, 7, 11, 15, 19, .. 63 (mod 4 = 3)"),
        ([1, 2, 4, 8, 16, 32, 64], "1, 2, 4, 8, 16, .. 64"),
    ],
)
def test_numbers_in_few_words(values: list[int], text: str) -> None:
    assert numbers(np.array(values)) == text


def attention() -> tuple[Names, dict[str, NamedTensor]]:
    """Two batches and two heads of 24 columns."""
    work = build(make_case("names", HW, batch=2, seq=20, heads=2, head_dim=24))
    return Names(HW, work.tensors, work.outputs), {tensor.name: tensor for tensor in work.tensors}


def test_batch_and_head_of_q_k_and_o() -> None:
    names, tensors = attention()
    for name in "QKO":
        tensor = tensors[name]
        row = tensor.rows_per_batch + 5
        at = tensor.addresses()[row, tensor.head_cols + 17]
        assert names.word(tensor.memory, int(at)) == f"{name}[1, 1] row 5, column 17"


def test_a_pattern_over_rows_and_two_heads() -> None:
    names, tensors = attention()
    o = tensors["O"].addresses()
    rows = tensors["O"].rows_per_batch + np.arange(1, 20, 4)
    words = np.sort(o[rows][:, [0, 1, 2, 32, 33]].reshape(-1))
    assert names.where("vram", words) == [
        "O[1, 0] rows 1, 5, 9, 13, 17 (mod 4 = 1), columns 0-2",
        "O[1, 1] rows 1, 5, 9, 13, 17 (mod 4 = 1), columns 0-1",
    ]
    assert names.where("vram", words[:-1])[1].endswith("(9 elements of these)")


def test_scales_and_words_without_a_name() -> None:
    names, tensors = attention()
    scale = tensors["V"].scale_base
    assert names.word("hbm", scale) == "V[0, 0] row 0, column 0, scale bytes"
    assert names.word("hbm", 5) == "HBM byte 5, which no tensor holds"
    assert "and 1 more" in names.where("vram", np.array([900_000, 900_001]))[0]


def test_tensors_that_share_words_are_all_named_the_result_first() -> None:
    tensors = [plain("early", "vram", 0, 4, 16), plain("late", "vram", 32, 4, 16)]
    names = Names(HW, tensors, [Region("vram", 32, 96, "late")])
    assert names.word("vram", 40) == "late row 0, column 8 [early at other times]"
    assert names.word("vram", 8) == "early row 0, column 8"
