"""Command lines of the sweep: what they choose, and what they are told when they choose nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb.mutants.swept import SWEPT
from tb.sweep import choice, command
from tb.sweep import matrix as matrices
from tests.sweep.plans import MATRIX


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["MLEN=12"], "no legal cell has MLEN=12"),
        (["MLEN="], "MLEN has no value"),
        (["MLEN=8,"], "no legal cell has MLEN="),
        (["MLEN"], "'MLEN' is not of the form KEY=VALUE"),
        (["MLEN=8", "BLEN=64"], "no legal cell has MLEN=8 BLEN=64; BLEN must not exceed MLEN"),
        (["MLEN=256", "SEQ=7"], "no legal cell has MLEN=256 SEQ=7"),
        (["QUICK=1", "MLEN=128", "BLEN=64"], "no cell of the quick part has these values"),
        (
            ["FOO=1"],
            "FOO= is unknown; there are MLEN, BLEN, BATCH, SEQ, HEAD_DIM, MASK, SET, LIMIT, QUICK",
        ),
        (["LIMITS=3"], "LIMITS= is unknown; did you mean LIMIT=?"),
        (["LIMIT=some"], "LIMIT=some is not an integer"),
        (["LIMIT=0"], "LIMIT=0 lies outside 1"),
        (["JOBS=0"], "JOBS=0 lies outside 1"),
        (["QUICK=2"], "QUICK=2 lies outside 0..1"),
        (["JOBS=2", "SCHEDULER=tcp://a:1"], "JOBS is for this machine"),
        (["WAIT=5"], "WAIT is for the workers of a SCHEDULER"),
        (["MATRIX=nowhere.toml"], "nowhere.toml"),
        (["MATRIX=."], "Is a directory"),
    ],
)
def test_a_wrong_option_says_why(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "FOLDER", tmp_path / "sweep")
    assert command.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "sweep").exists()


def test_a_wrong_matrix_file_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(matrices.MATRIX_FILE.read_text().replace("sigma", "sigmas"))
    assert command.main([f"MATRIX={file}"]) == 2
    assert f"{file}: inputs.sigmas: 'sigmas' is unknown; there are sigma" in capsys.readouterr().err


def test_without_options_it_is_everything() -> None:
    chosen = choice.parse([])
    assert chosen.slice == MATRIX.cells and chosen.mutants == SWEPT and chosen.scheduler is None
    assert chosen.cells(lambda cell: True) == MATRIX.cells


@pytest.mark.parametrize("argument", ["MLEN=8", "QUICK=1", "LIMIT=3"])
def test_a_part_is_without_mutants_unless_they_are_asked_for(argument: str) -> None:
    assert choice.parse([argument]).mutants == ()
    assert choice.parse([argument, "MUTANTS=1"]).mutants == SWEPT


def test_a_limit_takes_cells_without_a_result_from_all_over_the_matrix() -> None:
    chosen = choice.parse(["LIMIT=200"])
    first = chosen.cells(lambda cell: False)
    assert len(first) == 200 and len({cell.machine for cell in first}) == 24
    names = {cell.name for cell in first}
    second = chosen.cells(lambda cell: cell.name in names)
    assert len(second) == 200 and not names & {cell.name for cell in second}


def test_the_quick_part() -> None:
    assert choice.parse(["QUICK=1"]).slice == MATRIX.quick_cells()
    eight = choice.parse(["QUICK=1", "MLEN=8"]).slice
    assert eight == tuple(cell for cell in MATRIX.quick_cells() if cell.machine[0] == 8)
