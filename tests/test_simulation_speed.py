"""Simulation speed against another commit: the best of each tree counts, and bad options name the culprit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import bench, simulation_speed
from tb.engine import paths, processes


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    return tmp_path


def test_the_best_run_of_each_tree_counts(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = len(simulation_speed.PROGRAMS)
    drawn: dict[str, Iterator[float]] = {
        "then": iter([100.0, 90.0, 50.0, 10.0, 80.0, 95.0, 60.0, 20.0]),
        "now": iter([110.0, 80.0, 30.0, 40.0, 90.0, 85.0, 30.0, 10.0]),
    }
    monkeypatch.setattr(simulation_speed, "_other_tree", lambda place, commit: place / "then")

    def run(tree: Path, environ: dict[str, str], program: str) -> float:
        own = tree == paths.REPO
        assert own or environ["PLENA_BUILD"] == str(tree / "build")
        return next(drawn["now" if own else "then"])

    monkeypatch.setattr(simulation_speed, "_run", run)
    speeds = simulation_speed.measure("x", rounds=2)
    assert len(speeds) == programs == 4
    assert [(speed.then, speed.now) for speed in speeds] == [(100, 110), (95, 85), (60, 30), (20, 40)]
    assert [speed.ratio for speed in speeds] == pytest.approx([1.1, 85 / 95, 0.5, 2.0])


@pytest.mark.parametrize("commit", ["no_such_commit", "-1", "--help"])
def test_a_commit_that_is_none(commit: str, build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulation_speed.main([f"COMMIT={commit}", "ROUNDS=1"]) == 2
    assert f"COMMIT={commit}" in capsys.readouterr().err
    assert not list(build.iterdir())


def test_a_program_that_does_not_pass(build: Path) -> None:
    with pytest.raises(processes.CommandError, match="TEST=nothing"):
        simulation_speed._run(paths.REPO, {}, "TEST=nothing")


def test_a_bench_without_the_commit_says_so_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the minutes that the other parts take."""

    def missing() -> str:
        raise simulation_speed.SpeedError("COMMIT=8c97ea0: not here")

    def machine() -> Iterator[bench.Figure]:
        raise AssertionError("measured")

    monkeypatch.setattr(simulation_speed, "find", missing)
    monkeypatch.setitem(bench.PARTS, "machine", machine)
    assert bench.main([]) == bench.main(["machine", "speed"]) == 2
    assert capsys.readouterr().err.count("error: COMMIT=8c97ea0: not here") == 2
