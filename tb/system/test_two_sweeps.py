"""Two sweeps of this machine at once, on one folder of results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tb.engine import simulate

pytestmark = pytest.mark.not_nightly("Verilator, on processes and results")

SMALL = ["MLEN=8", "BLEN=4", "HEAD_DIM=16", "MASK=causal", "JOBS=1"]


def start(build: Path, *arguments: str) -> subprocess.Popen[str]:
    """A sweep whose files lie in `build`."""
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.sweep", *SMALL, *arguments],
        cwd=simulate.REPO,
        env={**os.environ, "PLENA_BUILD": str(build)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_both_end_with_all_of_their_cells(tmp_path: Path) -> None:
    """They share three cells, whichever of them runs those; each has a plan and a log of its own."""
    simulate.require("verilator")
    build = tmp_path / "build"
    build.mkdir()
    models = simulate.BUILD / "models"
    models.mkdir(parents=True, exist_ok=True)
    (build / "models").symlink_to(models.resolve())
    sweeps = [start(build, "SEQ=1,4"), start(build, "SEQ=4,7")]
    try:
        printed = [sweep.communicate(timeout=500)[0] for sweep in sweeps]
    finally:
        for sweep in sweeps:
            sweep.kill()
    assert [sweep.returncode for sweep in sweeps] == [0, 0], printed
    folder = build / "sweep"
    plans = [json.loads((run / "plan.json").read_text()) for run in (folder / "runs").iterdir()]
    lengths = sorted(
        sorted({part for name in made["cells"] for part in name.split("-") if part.startswith("seq")})
        for made in plans
    )
    assert lengths == [["seq1", "seq4"], ["seq4", "seq7"]]
    results = [json.loads(file.read_text())["result"] for file in (folder / "results").iterdir()]
    assert len(results) == 9 and all(result["passed"] for result in results)
    report = json.loads((folder / "report.json").read_text())
    assert report["summary"]["cells"]["passed"] >= 6 and not report["summary"]["cells"]["failed"]
