"""The sweep on the RTL: its quick part, cells that must fail, and a sweep that goes on where it stopped."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from tb.bench import harness
from tb.bench.harness import Job, JobResult
from tb.engine import simulate
from tb.sweep import cell as cells_module
from tb.sweep import cell_page, command, matrix
from tb.sweep.cells import run_cells
from tb.sweep.error_verdict import EXPECTED_FACTOR

pytestmark = pytest.mark.not_nightly("Verilator, on processes and results")

MATRIX = matrix.load()
QUICK = MATRIX.quick_cells()
#: Errors below it are those of flushed results alone: with one key P is 1, and nothing is rounded.
FLUSHED = 2.0**-100
#: The machine of the tests that need one only.
SMALLEST = ["MLEN=8", "BLEN=4"]


#: All but one of them: `make sweep QUICK=1` has that one too.
MACHINES = sorted({cell.machine for cell in QUICK} - {(128, 32)})


@pytest.mark.parametrize("machine", MACHINES, ids=str)
def test_quick_part(machine: tuple[int, int]) -> None:
    """Every cell passes in under a minute of simulation; the closed form is off for one cell at most."""
    simulate.require("verilator")
    cells = [cell for cell in QUICK if cell.machine == machine]
    results = run_cells(cells)
    assert [result.name for result in results] == [cell.name for cell in cells]
    for result in results:
        assert result.passed and result.bit_exact, (result.name, result.reasons, result.error)
        assert result.cycles > result.instructions / 2 > 0 and result.seconds < 60
    off = [result for result in results if not near(result.max_error, result.expected, EXPECTED_FACTOR)]
    assert len(off) <= 1, off
    assert all(near(result.max_error, result.expected, 2 * EXPECTED_FACTOR) for result in off), off


def near(error: float, expected: float, factor: float) -> bool:
    """The error is within the factor of the expected one, up and down, or both are flushed results."""
    return expected / factor <= error <= expected * factor or max(error, expected) < FLUSHED


@pytest.fixture(scope="module")
def ran() -> tuple[Workload, JobResult]:
    """A small cell, and what the RTL left of it."""
    simulate.require("verilator")
    workload = build(MATRIX.by_name["mlen8-blen4-batch2-seq9-hd16-causal"].case)
    job = Job(workload.words, workload.images, workload.limit)
    return workload, harness.run(workload.case.hardware, [job], "verilator").jobs[0]


def test_one_wrong_bit_fails_a_cell(ran: tuple[Workload, JobResult]) -> None:
    workload, got = ran
    assert cells_module.judge(workload, got).passed
    vram = got.images.vram.copy()
    vram[workload.outputs[0].start] ^= 1
    result = cells_module.judge(workload, replace(got, images=replace(got.images, vram=vram)))
    assert not result.passed and not result.bit_exact
    assert [reason for reason in result.reasons if reason.startswith("not bit-exact: VRAM")]
    wrong = replace(got, images=replace(got.images, vram=vram))
    page = cell_page.unpack(cell_page.make(workload, wrong, result.reasons))
    assert "O[0, 0] row 0, column 0" in page and "Not bit-exact" in page and "FAIL</title>" in page


@pytest.mark.parametrize("bits", [4, 5])
def test_a_result_with_too_few_bits_fails_its_prediction(bits: int, ran: tuple[Workload, JobResult]) -> None:
    """Outputs cut to fewer significant bits than bf16 has: the error is larger than the roundings explain."""
    workload, got = ran
    vram = got.images.vram.copy()
    for region in workload.outputs:
        mantissa, exponent = np.frexp(bf16_to_f32(vram[region.start : region.stop]).astype(np.float64))
        cut = np.ldexp(np.trunc(np.ldexp(mantissa, bits)), exponent - bits)
        vram[region.start : region.stop] = bf16_from_float(cut)
    result = cells_module.judge(workload, replace(got, images=replace(got.images, vram=vram)))
    assert any("not within a factor of 1.1" in reason for reason in result.reasons), result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for the sweep's files; models stay where all tests have theirs."""
    simulate.require("verilator")
    monkeypatch.setattr(command, "FOLDER", tmp_path / "sweep")
    return tmp_path / "sweep"


def statuses(folder: Path) -> Counter[str]:
    content = json.loads((folder / "report.json").read_text())
    names = [cell["name"] for cell in content["cells"]]
    assert len(names) == len(set(names)) == len(MATRIX.cells)
    return Counter(cell["status"] for cell in content["cells"])


def test_a_sweep_goes_on_where_it_stopped(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What has a result is not run again."""
    chosen = [*SMALLEST, "SEQ=1,4", "HEAD_DIM=16", "MASK=causal", "JOBS=2"]
    assert command.main([*chosen, "LIMIT=2"]) == 0
    assert statuses(folder) == {"passed": 2, "not run": len(MATRIX.cells) - 2}
    first = {path: path.stat().st_mtime_ns for path in (folder / "results").iterdir()}
    assert command.main(chosen) == 0
    assert statuses(folder)["passed"] == 6
    assert all(path.stat().st_mtime_ns == made for path, made in first.items())
    assert len(list((folder / "results").iterdir())) == 6
    capsys.readouterr()
    assert command.main(chosen) == 0
    assert "every one of them has its result already" in capsys.readouterr().out
