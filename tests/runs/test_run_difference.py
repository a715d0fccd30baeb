"""Two runs are compared: what differs is named, and equal runs differ in nothing."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from plena_ref.isa.listing import numbered
from plena_ref.isa.machine_code import write_program
from plena_ref.machine import image_files
from plena_ref.machine.reference import Machine
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES
from scripts import diff_runs
from tb.bench import run_files
from tb.bench.case_runner import CaseOutcome
from tb.bench.options import RunOptions
from tb.runs.record import Record


def make_run(folder: Path, cycles: int = 1000, **values: object) -> Record:
    """The folder of a run as it would be, its memories from the reference machine."""
    case = CASES["rms_norm"].override(**values)
    work = build(case)
    machine = Machine(work.hardware, work.images.copy(), work.limit)
    machine.run(work.words)
    folder.mkdir()
    (folder / "program.lst").write_text(numbered(work.listing, work.words))
    write_program(folder / "program.mem", work.words)
    for name, images in (("images", work.images), ("dumps", machine.images)):
        image_files.write(folder / name, images, image_files.used_bytes(images))
    batches = [{"max_abs_error": 0.25}]
    result = {"passed": True, "cycles": cycles, "batches": batches}
    (folder / "result.json").write_text(json.dumps(result))
    ran = SimpleNamespace(case=case, simulator="verilator", workload=work)
    asked = run_files.Asked("make sim TEST=rms_norm", RunOptions())
    record = run_files.record(folder, asked, cast("CaseOutcome", ran))
    record.write()
    return record


def compare(first: Path, second: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = diff_runs.main([f"A={first}", f"B={second}"])
    return status, capsys.readouterr().out


def test_equal_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        make_run(tmp_path / name)
    status, said = compare(tmp_path / "a", tmp_path / "b", capsys)
    assert status == 0 and " -> " not in said
    assert said.count("the same") == 6


def test_a_word_of_a_tensor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One changed bit after the run is named by its tensor; so is one outside of all of them."""
    record = make_run(tmp_path / "a")
    make_run(tmp_path / "b", cycles=1100)
    tensor = next(one for one in record.tensors if one.memory == "vram")
    file = tmp_path / "b" / "dumps" / "vram.bin"
    words = bytearray(file.read_bytes())
    words[2 * (tensor.base + 3)] ^= 1
    words[-1] ^= 1
    file.write_bytes(words)
    status, said = compare(tmp_path / "a", tmp_path / "b", capsys)
    assert status == 1
    assert f"vram {tensor.name}: 1 of {tensor.words} words differ" in said
    assert f"first at {tensor.base + 3}" in said
    assert f"vram outside of all tensors: 1 words differ, first at {len(words) // 2 - 1}" in said
    assert "1000 -> 1100  (+10.0%)" in said and "memories before the run: the same" in said


def test_another_seed_and_another_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "a")
    make_run(tmp_path / "b", seed=9)
    make_run(tmp_path / "c", seq=7)
    status, said = compare(tmp_path / "a", tmp_path / "b", capsys)
    assert status == 1 and "listing: the same" in said and "words differ, by" in said
    status, said = compare(tmp_path / "a", tmp_path / "c", capsys)
    assert status == 1 and "\nlisting:\n  @@ " in said


def test_what_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "a")
    assert diff_runs.main([f"A={tmp_path / 'a'}", f"B={tmp_path}"]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path} holds no run: run.json is missing or damaged\n"
