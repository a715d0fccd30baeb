"""The registered cases from end to end: what ``make sim`` prints, returns and leaves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.isa.machine_code import read_program
from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES
from tb.bench import case_command
from tb.engine import simulate
from tb.system import cycles, schemas

pytestmark = pytest.mark.not_nightly("every case on its simulators and its machine")

REGRESSION = [(name, simulator) for name in CASES if name != "mha" for simulator in CASES[name].simulators]


def _uses(unit: str, workload: Workload) -> bool:
    """Whether the program has an instruction of the unit with that letter."""
    return re.search(rf"^\s*{unit}_", workload.listing, re.MULTILINE) is not None


@pytest.mark.parametrize(("name", "simulator"), REGRESSION)
def test_case_passes(
    name: str,
    simulator: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """PASS, bit-exact, within the bound; result.json is as docs/result.md says, with these values."""
    simulate.require(simulator)
    runs = tmp_path / "runs"
    monkeypatch.setattr(case_command, "RUNS", runs)
    assert case_command.main([f"TEST={name}", f"SIM={simulator}"]) == 0
    printed = capsys.readouterr().out
    assert "PASS" in printed and "FAIL" not in printed

    folder = runs / name
    case, hw = CASES[name], CASES[name].hardware
    result = json.loads((folder / "result.json").read_text())
    assert schemas.errors("result", result) == []
    wrong = result["wrong_results"]
    assert len(wrong["refused"]) >= 3 and wrong["vacuous"] == [] and wrong["not_resolvable"] == {}
    assert result["test"] == name and result["simulator"] == simulator
    assert result["hardware"] == {"mlen": hw.mlen, "blen": hw.blen, "hlen": hw.hlen}
    assert result["passed"] is True and result["bit_exact"] is True
    assert result["tolerance"] == {"atol": case.tolerance.atol, "rtol": case.tolerance.rtol}
    assert result["out_of_bounds_writes"] == 0
    workload = build(case)
    batches, rows, heads, columns = workload.golden.shape
    assert [batch["batch"] for batch in result["batches"]] == list(range(batches))
    for batch in result["batches"]:
        assert batch["rows"] == rows
        assert batch["match_percent"] == 100.0
        assert 0 <= batch["max_abs_error"] < 0.1 * (1 + abs(batch["worst"]["golden"]))
        assert (batch["max_abs_error"] > 0) == (case.tolerance.outer > 0), "what rounds nothing is exact"
        worst = batch["worst"]
        assert worst["row"] in range(rows) and worst["column"] in range(columns)
        assert worst["head"] in range(heads)
    counts = cycles.read()[f"TEST={name}"]
    assert counts == {key: result[key] for key in counts}, "if that is meant, run `make cycles`"
    assert 2 * result["cycles"] > result["instructions"] > len(workload.words), "two a cycle at most"
    assert 0 < result["bound_cycles"] < result["cycles"]
    assert result["array_utilisation"] < 1 and (result["array_utilisation"] > 0) == _uses("M", workload)
    assert "cycles by reason" in printed and f"bound {result['bound_cycles']} cycles" in printed
    assert result["sim_seconds"] > 0 and result["cycles_per_second"] > 0

    assert (folder / "report.txt").read_text().count("PASS") == batches + 1
    words = read_program(folder / "program.mem")
    assert words == build(case).words == assemble((folder / "program.lst").read_text())
    for place in ("images", "dumps"):
        for memory, size in (
            ("vram", 2 * hw.vram_elems),
            ("msram", 2 * hw.msram_tiles * hw.tile_elems),
            ("fpmem", 2 * hw.fp_words),
            ("intmem", 4 * hw.int_words),
        ):
            assert (folder / place / f"{memory}.bin").stat().st_size == size
        assert ((folder / place / "hbm.bin").stat().st_size > 0) == _uses("H", workload)
    assert sorted(path.name for path in runs.iterdir()) == sorted(["by_options", "contents", name])
    assert folder.resolve() == runs / "by_options" / f"{name},SIM={simulator}"
