"""Matrix files with a mistake are refused, and the message names it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tb.sweep import matrix as matrices
from tb.sweep.declaration import MatrixError, length

TEXT = matrices.MATRIX_FILE.read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[axes]", "[axes]]", "(at line"),
        ("[heads]", "[head]", "head: 'head' is unknown; there are axes, masks, heads"),
        ("[quick]", "[quik]", "quik: 'quik' is unknown; there are axes, "),
        ("[axes]", "[axes]\nheads = [1]", "axes.heads: 'heads' is unknown; there are mlen, blen"),
        (
            "vram_elems",
            "vram_elms",
            "memories.8.vram_elms: 'vram_elms' is unknown; there are hlen, vram_elems",
        ),
        ("causal = {", "causl = {", "axes.mask: 'causal' is unknown; there are causl, full, cached"),
        (
            "causal = true, cache",
            "causl = true, cache",
            "masks.causal.causl: 'causl' is unknown; there are causal",
        ),
        ('mask = ["causal"', 'mask = ["casual"', "axes.mask: 'casual' is unknown; there are causal, full"),
        ("cells = 66\n", "", "'quick.cells' is missing"),
        ("sigma = 1.5\n", "", "'inputs.sigma' is missing"),
        ("blen = [4, 8, 16, 32, 64]\n", "", "'axes.blen' is missing"),
        ("[memories.8]", "[memories.9]", "'memories.8' is missing"),
        ("1 = 2", "4 = 2", "heads: '1' is unknown; there are 4, 2, 3"),
        ("mlen = [8, 16", "mlen = [8.0, 16", "axes.mlen = 8.0: expected a positive integer"),
        ("mlen = [8, 16", 'mlen = ["8", 16', "axes.mlen = '8': expected a positive integer"),
        ("mlen = [8, 16", "mlen = [true, 16", "axes.mlen = True: expected a positive integer"),
        (
            "mlen = [8, 16",
            "mlen = [8, 8, 16",
            "axes.mlen = [8, 8, 16, 32, 64, 128, 256]: expected values that",
        ),
        ("mlen = [8, 16, 32, 64, 128, 256]", "mlen = 8", "axes.mlen = 8: expected a list of values"),
        ("mlen = [8, 16, 32, 64, 128, 256]", "mlen = []", "axes.mlen = []: expected a list of values"),
        ('"MLEN-1"', '"MLEN/2"', "axes.seq: 'MLEN/2' is no length"),
        ('"MLEN-1"', "-1", "axes.seq = -1: expected a length that is not negative"),
        ("causal = true", "causal = 1", "masks.causal.causal = 1: expected true or false"),
        (
            "[masks]\ncausal = { causal = true, cache = 0 }",
            "[masks]\ncausal = 1",
            "masks.causal = 1: expected a table",
        ),
        ("1 = 2", "1 = 0", "heads.1 = 0: expected a positive integer"),
        ("sigma = 1.5", 'sigma = "1.5"', "inputs.sigma = '1.5': expected a positive number"),
        ("sigma = 1.5", "sigma = nan", "inputs.sigma = nan: expected a positive number"),
        (
            "hbm_bytes = 2097152",
            "hbm_bytes = 2e6",
            "memories.8.hbm_bytes = 2000000.0: expected a positive integer",
        ),
        ("work = 6", 'work = "6"', "quick.work = '6': expected a positive integer"),
        ("[[8, 4]", "[[8]", "quick.machines = [8]: expected [MLEN, BLEN]"),
        ("[[8, 4]", "[[8, 5]", "quick.machines: no legal cell has MLEN=8 and BLEN=5"),
        ("\n[[extra]]", "\n[extra]", "extra = {"),
    ],
)
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
