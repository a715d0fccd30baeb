"""What a dask worker starts for an answer: its environment is made, and it ends when nobody wants it."""

from __future__ import annotations

import sys
from pathlib import Path

import cloudpickle
import pytest
from distributed import Client, LocalCluster

from tb.chat import remote_answer
from tests.sweep.dask_cluster import wait_for


def test_an_answer_that_nobody_wants_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "seen"
    program = tmp_path / "python"
    program.write_text(
        f"#!/bin/sh\nenv > {seen}.new; echo $$ >> {seen}.new; mv {seen}.new {seen}; exec sleep 987\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("COCOTB_TEST_FILTER", "nonsense")
    cloudpickle.register_pickle_by_value(remote_answer)
    options = {"processes": False, "n_workers": 1, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**options) as cluster, Client(cluster, set_as_default=False) as client:
        asked = client.submit(lambda: remote_answer.answer([], {}), pure=False)
        wait_for(seen.exists)
        *variables, process = seen.read_text().splitlines()
        assert Path(f"/proc/{process}").exists()
        asked.cancel()
        wait_for(lambda: not Path(f"/proc/{process}").exists(), 20)
    names = {line.partition("=")[0] for line in variables}
    assert "COCOTB_TEST_FILTER" not in names and {"PATH", "PYTHONPATH"} <= names
