"""What `make explain` says of a case, against the program, the masks and the memories themselves."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console

from plena_ref.golden.attention import visible_keys
from plena_ref.isa.loops import executions
from plena_ref.kernels.attention.tiling import query_tiles
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES
from tb.bench import explain

#: Shapes with tiles that are whole, masked in part, and skipped for both reasons.
SHAPES = [
    {"SEQ": 40, "WINDOW": 20},
    {"SEQ": 48, "KV_SEQ": 70},
    {"SEQ": 40, "CAUSAL": 0},
    {"SEQ": 33, "KV_SEQ": 100, "WINDOW": 50},
]


@pytest.mark.parametrize("values", SHAPES, ids=str)
def test_the_grid_is_that_of_the_mask(values: dict[str, int]) -> None:
    """A tile is skipped when the golden's mask hides all of it, and whole when it hides nothing of it."""
    problem = CASES["mha_ragged"].override(**values).problem
    seen = visible_keys(problem.seq, problem.kv_seq, problem.causal, problem.window)
    mlen = 16
    lines = [*explain.grid(query_tiles(problem.shape, mlen), mlen, problem.kv_seq)]
    expected = []
    for first in range(0, problem.seq, mlen):
        line = ""
        for key in range(0, problem.kv_seq, mlen):
            tile = seen[first : first + mlen, key : key + mlen]
            whole = tile.all() and tile.shape[1] == mlen
            line += "#" if whole else "/" if tile.any() else "."
        expected.append(line)
    assert [line.split()[-1] for line in lines[1:]] == expected
    numbers = [int(number) for number in re.findall(r"(\d+) (?:whole|masked|skipped)", lines[0])]
    assert numbers == ["".join(expected).count(mark) for mark in "#/."]


def test_the_walk_counts_every_instruction_once() -> None:
    work = build(CASES["mha_ragged"])
    lines = [*explain.walk(work.listing, executions(work.words))]
    loops = [line for line in lines if "loop " in line]
    own = sum(int(number) for number in re.findall(r"\[(\d+) instructions\]", "\n".join(lines)))
    assert own + len(loops) == len(work.words)
    assert any("loop 3 x: batches  (3 passes)" in line for line in loops)


def test_a_loop_that_may_end_early_says_so() -> None:
    text = StringIO()
    explain.show(build(CASES["mha_causal_tiles"]), Console(file=text, width=150))
    loops = [line for line in text.getvalue().splitlines() if "BLEN keys that the rows see" in line]
    assert loops and all("(at most " in line for line in loops)
    assert "in the program, at most " in text.getvalue()


def test_everything_has_its_line() -> None:
    text = StringIO()
    work = build(CASES["linear"].override(SEQ=4))
    explain.show(work, Console(file=text, width=150))
    said = text.getvalue()
    for tensor in work.tensors:
        assert tensor.name in said and str(tensor.base) in said
    assert f"{sum(executions(work.words)):,} are executed" in said
    assert "skipped" not in said, "only attention has tiles that are skipped"
