"""A run is made again from its folder alone, and an edited program takes the kernel's place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from plena_ref.isa.machine_code import read_program
from tb.bench import case_command, replay_command
from tb.engine import simulate
from tb.system import schemas

pytestmark = pytest.mark.not_nightly("the bench, not the machine")
TEST = "TEST=mha_batch2_sub64"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that passed."""
    runs = tmp_path_factory.mktemp("runs")
    simulate.require("verilator")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(case_command, "RUNS", runs)
        assert case_command.main([TEST, "SIM=verilator", "LATENCY=40", "JITTER=30"]) == 0
    return runs / "mha_batch2_sub64"


def test_the_same_again(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay_command.main([f"RUN={run}"]) == 0
    printed = capsys.readouterr().out
    assert "replay of: make sim TEST=mha_batch2_sub64 SIM=verilator LATENCY=40 JITTER=30" in printed
    assert "memories as recorded: yes" in printed and "cycles as recorded: yes" in printed
    assert printed.endswith("PASS\n")


def test_every_run_has_its_page(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    for part in ("verdict", "batches", "errors", "mask", "cycles", "memory", "listing"):
        assert f'id="{part}"' in page
    assert page.count("elements out of bounds") == 2 * 4 and "src=" not in page and "<script" not in page
    assert len(page) < 400_000


def test_another_latency_gives_other_cycles_and_the_same_memories(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay_command.main([f"RUN={run}", "LATENCY=90"]) == 0
    printed = capsys.readouterr().out
    assert "memories as recorded: yes" in printed and "cycles as recorded: no" in printed


def test_the_verdict_is_made_again(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the files: with other bounds the same bits fail."""
    bound = run / "tensors" / "upper_bound.npy"
    kept = np.load(bound)
    try:
        np.save(bound, kept - 100)
        assert replay_command.main([f"RUN={run}"]) == 1
    finally:
        np.save(bound, kept)
    printed = capsys.readouterr().out
    assert "bit-exact with the reference machine: yes" in printed and "FAIL" in printed
    assert "first wrong instruction" not in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["RUN="]),
        (["RUN=nowhere"], ["nowhere", "holds no run"]),
        (["RUN={run}", "SEQ=4"], ["SEQ= is unknown"]),
        (["RUN={run}", "SIM=none"], ["none", "verilator"]),
    ],
)
def test_refused(
    arguments: list[str], words: list[str], run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay_command.main([text.format(run=run) for text in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and all(word in error for word in words)


def test_an_edited_program(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another softmax scale: both machines agree on a result that is not the golden."""
    edited = tmp_path / "edited.lst"
    text = (run / "program.lst").read_text()
    line = next(line for line in text.splitlines() if "S_LD_FP" in line and "gp0, 1 " in line)
    edited.write_text(text.replace(line, line.replace("gp0, 1 ", "gp0, 0 ")))
    monkeypatch.setattr(case_command, "RUNS", tmp_path / "runs")
    assert case_command.main([TEST, "SIM=verilator", f"ASM={edited}"]) == 1
    assert "bit-exact with the reference machine: yes" in capsys.readouterr().out
    folder = tmp_path / "runs" / "mha_batch2_sub64"
    result = json.loads((folder / "result.json").read_text())
    assert result["bit_exact"] and not result["passed"] and result["reasons"]
    assert read_program(folder / "program.mem") != read_program(run / "program.mem")
    assert folder.resolve().name.startswith("mha_batch2_sub64,ASM=")
    assert result["account"]["culprit"] is None and schemas.errors("result", result) == []
    assert "Bit-exact but wrong" in (folder / "report.html").read_text(encoding="utf-8")
