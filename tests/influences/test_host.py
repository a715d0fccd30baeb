"""Faults of the host: one `error:` line, exit status 2, and nothing half-written."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import find_libpython
import numpy as np
import pytest

from plena_ref.machine import image_files as images
from plena_ref.machine.state import MemoryImages
from tb.bench import case_command, command, harness, program_command
from tb.engine import registry, simulate, tools
from tests.influences.checkout import REPO
from tests.influences.rows import row

_HOST = "Faults of the host, and output"
_ONE_LINE = "one `error:` line, exit status 2, nothing written"


def run(path: Path, out: Path) -> int:
    """A run on the reference machine."""
    return program_command.main([f"PROGRAM={path}", f"OUT={out}", "SIM=reference"])


@row(_HOST, "`OUT` is a file, lies under one, or has a folder where a file is to be", _ONE_LINE)
@pytest.mark.parametrize("out", ["file", "file/below", "busy"])
def test_out_that_cannot_be(out: str, tmp_path: Path, program: Callable[[str], Path], capsys) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "busy" / "vram.bin").mkdir(parents=True)
    path = program("p.mem")
    before = sorted(tmp_path.rglob("*"))
    assert run(path, tmp_path / out) == 2
    assert re.fullmatch(r"error: OUT=.*\n", capsys.readouterr().err)
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "file").read_text() == "kept"


@row(_HOST, "a disk that is full when the results are written", _ONE_LINE + "; older results stay")
def test_a_full_disk(
    tmp_path: Path, program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    path, out = program("p.mem"), tmp_path / "out"
    assert run(path, out) == 0
    before = {file.name: file.read_bytes() for file in out.iterdir()}

    def write(folder: Path, memories: MemoryImages, hbm_bytes: int) -> None:
        (folder / "vram.bin").write_bytes(np.zeros(5).tobytes())
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "msram.bin"))

    monkeypatch.setattr(images, "write", write)
    assert run(path, out) == 2
    assert re.search(r"^error: .*No space left on device\n\Z", capsys.readouterr().err)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


@row(_HOST, "a limit on the size of files (`ulimit -f`)", _ONE_LINE)
def test_a_limit_on_the_size_of_files(tmp_path: Path, program: Callable[[str], Path]) -> None:
    path = program("p.mem")
    command_line = f"{sys.executable} -m scripts.run_program PROGRAM={path} OUT={tmp_path}/out SIM=reference"
    line = f"ulimit -f 8; exec {command_line}"
    result = subprocess.run(["sh", "-c", line], cwd=REPO, capture_output=True, text=True, check=False)
    assert result.returncode == 2 and re.fullmatch(r"error: .*File too large\n", result.stderr), result.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture
def fresh_tools() -> Iterator[None]:
    """Tools are looked for again, before and after the test."""
    registry.find_tool.cache_clear()
    yield
    registry.find_tool.cache_clear()


@row(_HOST, "a `g++` that fails", "one `error:` line with what it said, exit status 2")
def test_a_compiler_that_fails(tmp_path: Path, monkeypatch, capsys, fresh_tools: None) -> None:
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\necho 'internal compiler error' >&2\nexit 4\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert case_command.main(["TEST=mha_batch2", "SIM=verilator"]) == 2
    assert capsys.readouterr().err == "error: `g++ -dumpfullversion` failed: internal compiler error\n"


@row(
    _HOST,
    "a Python without its shared library (`libpython3.11.so`), which simulations load",
    "one `error:` line before anything is built, with the package that has it; exit status 2",
)
def test_a_python_without_its_library(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    tools.python_library.cache_clear()
    tools.cocotb_library.cache_clear()
    monkeypatch.setattr(find_libpython, "find_libpython", lambda: None)
    assert case_command.main(["TEST=mha_batch2"]) == 2
    assert re.fullmatch(r"error: .*`apt-get install libpython3.*\n", capsys.readouterr().err)


@row(_HOST, "a terminal that shows ASCII only", "plain bars and boxes; a PASS exits with 0")
def test_ascii_output() -> None:
    test = "TEST=mha_batch2_sub64"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    line = [sys.executable, "-m", "scripts.run_case", test]
    result = subprocess.run(line, cwd=REPO, env=environment, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    assert b"(# gets on, = waits, . nothing to do)" in result.stdout and result.stdout.isascii()


@row(_HOST, "nobody reads the output (`make sim ... | head -1`)", "the exit status is that of the verdict")
def test_output_that_nobody_reads() -> None:
    script = (
        "import sys\nfrom tb.bench import command\n"
        "def main(arguments):\n"
        "    for _ in range(2): command.show(lambda console: console.print('x'), 80)\n"
        "    return 0\n"
        "sys.exit(command.run(main, []))\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=REPO, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, b"")


def test_an_error_of_a_file_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def main(arguments: list[str]) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/somewhere")

    assert command.run(main, []) == 2
    assert capsys.readouterr().err == "error: /somewhere: Read-only file system\n"


@row(
    _HOST,
    "a violation of the AXI protocol in `make run`",
    "printed, counted in `stats.json`, status 1",
)
def test_violations_of_the_bus(
    tmp_path: Path, program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    original = harness.run

    def violating(*arguments: object, **options: object) -> harness.RunResult:
        result = original(*arguments, **options)  # type: ignore[arg-type]
        return dataclasses.replace(result, jobs=[dataclasses.replace(result.jobs[0], protocol_errors=3)])

    monkeypatch.setattr(harness, "run", violating)
    small = ["MLEN=16", "BLEN=4", "HLEN=8", "VRAM_ELEMS=4096", "MSRAM_TILES=4", f"HBM_BYTES={1 << 16}"]
    simulator = f"SIM={next(iter(simulate.SIMULATORS))}"
    out = tmp_path / "out"
    assert program_command.main([f"PROGRAM={program('p.mem')}", f"OUT={out}", simulator, *small]) == 1
    assert "3 violations of the AXI protocol" in capsys.readouterr().out
    assert json.loads((out / "stats.json").read_text())["axi_violations"] == 3
