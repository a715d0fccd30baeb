"""What killed sweeps leave is removed, and nothing of those that are alive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tb.sweep import litter
from tb.sweep.run_log import KEPT, RunLog


def test_only_litter_of_processes_that_are_gone_is_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine = litter.prefix()
    dead = mine.replace(f"@{os.getpid()}@", f"@{gone.pid}@")
    other_host = dead.replace("sweep@", "sweep@another-")
    names = [f"{prefix}x" for prefix in (mine, dead, other_host)] + ["report.json"]
    for name in names:
        (tmp_path / name).write_text("")
    (tmp_path / f"{dead}folder" / "inside").mkdir(parents=True)
    assert len(litter.remove(tmp_path, tmp_path / "nowhere")) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([names[0], names[2], names[3]])


def test_every_run_has_a_log_of_its_own_and_the_oldest_go(tmp_path: Path) -> None:
    for number in range(KEPT + 5):
        with RunLog(tmp_path) as log, RunLog(tmp_path) as at_the_same_time:
            assert log.folder != at_the_same_time.folder
            log.add(f"line {number}")
            at_the_same_time.add("another")
            assert f"line {number}" in (log.folder / "log").read_text()
    assert len(list(tmp_path.iterdir())) == 2 * (KEPT + 5), "somebody may write to one of them"
    for folder in tmp_path.iterdir():
        os.utime(folder / "log", (0, 0))
    with RunLog(tmp_path) as log:
        assert len(list(tmp_path.iterdir())) == KEPT and log.folder.exists()
