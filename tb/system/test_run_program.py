"""``make run``: any machine-code file on raw images, and two simulations side by side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.isa.machine_code import write_program
from plena_ref.machine import image_files as images
from tb.bench import program_command
from tb.engine import simulate
from tb.fuzz.random_programs import generate
from tb.system import schemas
from tb.system.equivalence import DIRECTED

SHAPE = ["MLEN=16", "BLEN=4", "HLEN=8", "VRAM_ELEMS=4096", "MSRAM_TILES=4", f"HBM_BYTES={1 << 16}"]
FILES = ["fpmem.bin", "hbm.bin", "intmem.bin", "msram.bin", "stats.json", "vram.bin"]

#: Where the programs of this file run.
SIMULATOR = simulate.default_simulator()


def stage(folder: Path, seed: int) -> list[str]:
    """Write the program and the images of a seed; returns the options that name them."""
    program = generate(DIRECTED, seed, 250, trap_probability=0, wild_probability=0)
    write_program(folder / "p.mem", program.words)
    program.images.vram[:].astype("<u2").tofile(folder / "v.bin")
    program.images.fpmem.astype("<u2").tofile(folder / "f.bin")
    program.images.intmem[:100].astype("<u4").tofile(folder / "i.bin")
    program.images.hbm[: program.limit].tofile(folder / "h.bin")
    names = {"PROGRAM": "p.mem", "VRAM": "v.bin", "FPMEM": "f.bin", "INTMEM": "i.bin", "HBM": "h.bin"}
    return [f"{key}={folder / name}" for key, name in names.items()]


def test_the_simulator_and_the_reference_machine_leave_the_same(tmp_path: Path) -> None:
    options = [*stage(tmp_path, 41), *SHAPE]
    stats = {}
    for simulator in ("reference", SIMULATOR):
        out = tmp_path / simulator
        assert program_command.main([*options, f"SIM={simulator}", f"OUT={out}"]) == 0
        assert sorted(path.name for path in out.iterdir()) == FILES
        stats[simulator] = json.loads((out / "stats.json").read_text())
    for memory in images.MEMORIES:
        left, right = ((tmp_path / simulator / f"{memory}.bin").read_bytes() for simulator in stats)
        assert left == right, memory
    assert (tmp_path / SIMULATOR / "vram.bin").stat().st_size == 2 * DIRECTED.vram_elems
    assert (tmp_path / SIMULATOR / "hbm.bin").stat().st_size >= (tmp_path / "h.bin").stat().st_size
    assert [schemas.errors("stats", found) for found in stats.values()] == [[], []]
    assert list(stats[SIMULATOR]) == list(stats["reference"])
    assert stats[SIMULATOR].pop("cycles") > stats[SIMULATOR]["instructions"] > 200
    assert stats[SIMULATOR].pop("counters")["totals"]
    assert stats[SIMULATOR].pop("axi_violations") == 0
    assert all(stats["reference"].pop(name) is None for name in ("cycles", "axi_violations", "counters"))
    assert stats[SIMULATOR] == stats["reference"]
    assert stats[SIMULATOR]["status"] == "stopped" and stats[SIMULATOR]["cause"] is None
    assert list(stats[SIMULATOR]["registers"]) == ["gp", "f", "a", "scale", "stride", "v_mask"]


@pytest.mark.parametrize("drain_limit", [100, 65_536])
def test_a_watchdog_on_a_slow_memory(
    drain_limit: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A prefetch that outlasts the watchdog is reported; so is a drain that is given up."""
    write_program(tmp_path / "p.mem", assemble("H_PREFETCH_V gp0, gp0, a0, 0, 0"))
    options = [f"PROGRAM={tmp_path / 'p.mem'}", f"OUT={tmp_path}", *SHAPE, f"SIM={SIMULATOR}"]
    options += ["LATENCY=2000", "WATCHDOG=2500", f"DRAIN_LIMIT={drain_limit}"]
    assert program_command.main(options) == 1
    stats = json.loads((tmp_path / "stats.json").read_text())
    undrained = drain_limit == 100
    assert (stats["status"], stats["cause"], stats["undrained"]) == ("trap", "WATCHDOG", undrained)
    assert (2600 <= stats["cycles"] < 2610) == undrained
    assert ("memories it leaves are undefined" in capsys.readouterr().out) == undrained


def test_memory_timing_does_not_change_what_is_left(tmp_path: Path) -> None:
    options = [*stage(tmp_path, 42), *SHAPE, f"SIM={SIMULATOR}"]
    assert program_command.main([*options, f"OUT={tmp_path / 'a'}", "LATENCY=1"]) == 0
    assert program_command.main([*options, f"OUT={tmp_path / 'b'}", "LATENCY=90", "JITTER=99", "SEED=7"]) == 0
    for memory in images.MEMORIES:
        assert (tmp_path / "a" / f"{memory}.bin").read_bytes() == (
            tmp_path / "b" / f"{memory}.bin"
        ).read_bytes()
    cycles = [json.loads((tmp_path / out / "stats.json").read_text())["cycles"] for out in "ab"]
    assert cycles[0] < cycles[1]


@pytest.mark.parametrize("simulator", ["reference", SIMULATOR])
def test_images_shorter_than_the_memory_are_filled_with_zero(simulator: str, tmp_path: Path) -> None:
    write_program(tmp_path / "p.mem", [0x34])
    np.array([0x3F80, 0x4000], "<u2").tofile(tmp_path / "v.bin")
    out = tmp_path / "out"
    where = [f"PROGRAM={tmp_path / 'p.mem'}", f"VRAM={tmp_path / 'v.bin'}", f"OUT={out}"]
    assert program_command.main([*where, *SHAPE, f"SIM={simulator}"]) == 0
    vram = np.fromfile(out / "vram.bin", "<u2")
    assert vram[:2].tolist() == [0x3F80, 0x4000] and not vram[2:].any() and vram.size == DIRECTED.vram_elems
    assert (out / "hbm.bin").stat().st_size == 0
    assert not any((out / "msram.bin").read_bytes() + (out / "intmem.bin").read_bytes())


def test_two_runs_side_by_side_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Different programs on one model in two processes at a time, three times: each leaves its own result."""
    processes = []
    for seed in (51, 52):
        folder = tmp_path / str(seed)
        folder.mkdir()
        options = [*stage(folder, seed), *SHAPE]
        assert program_command.main([*options, "SIM=reference", f"OUT={folder / 'reference'}"]) == 0
        for number in range(3):
            where = [f"OUT={folder / str(number)}", f"SIM={SIMULATOR}"]
            command = [sys.executable, "-m", program_command.__name__, *options, *where]
            processes.append(
                subprocess.Popen(command, cwd=simulate.REPO, env=os.environ, stdout=subprocess.DEVNULL)
            )
    assert [process.wait(timeout=300) for process in processes] == [0] * 6
    for seed in (51, 52):
        for number in range(3):
            for memory in images.MEMORIES:
                got = (tmp_path / str(seed) / str(number) / f"{memory}.bin").read_bytes()
                assert got == (tmp_path / str(seed) / "reference" / f"{memory}.bin").read_bytes()
