"""Matrix files with a mistake are refused, and the message names it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tb.sweep import matrix as matrices
from tb.sweep.declared_values import MatrixError, length

TEXT = matrices.MATRIX_FILE.read_text()
MISTAKES = tomllib.loads(Path(__file__).with_name("mistakes.toml").read_text())["mistakes"]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    file = tmp_path / "matrix.toml"
    file.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(MatrixError, match=re.escape(message)) as caught:
        matrices.load(file)
    assert str(file) in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "matrix.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(MatrixError, match="no text"):
        matrices.load(file)


@pytest.mark.parametrize(("text", "elements"), [(7, 7), ("MLEN", 32), ("MLEN-1", 31), ("2*MLEN+3", 67)])
def test_lengths(text: int | str, elements: int) -> None:
    assert length(text, 32) == elements


@pytest.mark.parametrize("text", ["", "BLEN", "MLEN*2", True, "MLEN+", 1.5])
def test_a_length_that_is_none_is_refused(text: object) -> None:
    with pytest.raises(MatrixError, match="is no length"):
        length(text, 32)
