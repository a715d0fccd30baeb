"""Build directories of PLENA's format through both doors on the RTL, and a stand-in for their runner."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.isa.machine_code import write_program
from plena_ref.machine.hbm_format import HbmFormat
from plena_ref.machine.mx import encode_rows
from plena_ref.machine.numerics import bf16_from_float
from plena_ref.workloads.case import make_case
from plena_ref.workloads.registry import CASES
from tb.bench.run_difference import Result
from tb.engine import simulate
from tb.peer import build_command, comparison, directory, dumps, emulator, golden, settings
from tb.peer.export import write_directory, write_golden
from tb.system.router_directory import write_router

SIMULATOR = simulate.default_simulator()
#: One machine for all: transfers of class m1 and v1 move bf16, which only the router's program asks for.
SMALL = replace(CASES["mha_ragged"].hardware, hbm_bf16="m1,v1")
#: Batches with heads wider than a tile, causal tiles, one operator, three in one program, a decoder layer.
PROGRAMS = {
    "batch 2": replace(CASES["mha_batch2_sub64"], hardware=SMALL),
    "causal tiles": replace(CASES["mha_ragged"], hardware=SMALL),
    "rms_norm": make_case("rms_norm", SMALL, "rms_norm", seq=7, features=40),
    "three operators": make_case("three", SMALL, "norm_linear_residual", seq=5, features=24),
    # Of 12 seeds 4 have an element past 0.02 + 0.02*|golden| (docs/plena_tools.md); this one is at 0.6 of it.
    "decoder layer": replace(CASES["decoder_layer"], hardware=SMALL, seed=3),
}
ROUTER = "router"
DUMPS = [dumps.NAMES[memory] for memory in ("vram", "msram", "fpmem", "intmem")]

# What their runner looks for in each line of the output.
LATENCY = re.compile(r"Simulation completed\. Latency\s+([0-9.eE+-]+)ns")
TOPOLOGY = re.compile(r"mlen=(\d+)\s+vlen=(\d+)\s+.*blen=(\d+)")
HBM = re.compile(
    r"HBM Statistics - Bytes read:\s*([0-9]+)\s*\|\s*Bytes written:\s*([0-9]+)\s*\|\s*"
    r"Utilization:\s*([0-9.eE+-]+)\s*bytes/sec"
)


def command_line(folder: Path) -> list[str]:
    """The emulator's arguments for a build directory, as their runner puts them together."""
    files = {
        "opcode": directory.PROGRAM,
        "hbm": directory.HBM,
        "fpsram": directory.FP_MEM,
        "intsram": directory.INT_MEM,
        "settings": settings.FILE,
        "vram": directory.VRAM,
    }
    arguments = [part for option, name in files.items() for part in (f"--{option}", str(folder / name))]
    return [*arguments, "--hbm-size", (folder / directory.HBM_SIZE).read_text().strip()]


def run_build(folder: Path, out: Path) -> int:
    return build_command.main([f"BUILD={folder}", f"OUT={out}", f"SIM={SIMULATOR}"])


def write(name: str, folder: Path) -> None:
    """Write one of the directories; the router is written by hand."""
    write_directory(PROGRAMS.get(name, PROGRAMS["batch 2"]), folder)
    if name == ROUTER:
        write_router(folder)


@pytest.mark.parametrize("name", [*PROGRAMS, ROUTER])
def test_both_doors_leave_the_same(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "build", tmp_path / "out"
    write(name, folder)
    assert run_build(folder, out) == 0
    said = capsys.readouterr().out
    assert "peer: PASS, ours: PASS" in said and "bit-exact with the reference machine: yes" in said
    assert "words written outside those of the reference machine: 0" in said
    monkeypatch.chdir(out.parent)
    profile = tmp_path / "profile.json"
    asm = ["--stage-profile-asm", str(folder / directory.ASSEMBLY), "--stage-profile-out", str(profile)]
    assert emulator.main([*command_line(folder), *asm, "--log-level", "debug"]) == 0
    for dump in [*DUMPS, dumps.NAMES["hbm"]]:
        assert (tmp_path / dump).read_bytes() == (out / dump).read_bytes(), dump
    stats = json.loads((out / build_command.STATS).read_text())
    stages = json.loads(profile.read_text())
    assert stages == json.loads((out / build_command.PROFILE).read_text())
    check_profile(stages, stats)
    params = comparison.read(folder)
    values = golden.read(folder, params.num_batches).values
    values[-1, -1] += 0.3 + 0.3 * abs(values[-1, -1])
    write_golden(folder, values)
    assert run_build(folder, out) == 1
    assert "peer: PASS, ours: FAIL" in capsys.readouterr().out


def check_profile(stages: Result, stats: Result) -> None:
    """The sums over the stages are those that the machine's own counters hold."""
    uses, totals = stages["stages"].values(), stats["counters"]["totals"]
    assert sum(use["cycles"] for use in uses) == stats["cycles"] == stages["total_cycles"]
    assert sum(use["instructions"] for use in uses) == stats["instructions"]
    dispatch = stats["counters"]["dispatch"]
    busy = sum(use["cycles"] - use["stall_cycles"] for use in uses)
    assert busy == dispatch["one"] + dispatch["two"]
    for name in ("macs", "vector_rows"):
        assert sum(use[name] for use in uses) == totals[name]
    for unit in ("matrix", "vector", "float", "hbm"):
        assert sum(use["unit_instructions"][unit] for use in uses) == totals[f"{unit}_instructions"]
    assert stages["total_hbm_bytes_read"] <= 64 * totals["read_beats"]
    assert len(stages["stages"]) > 2


def test_a_tensor_at_any_multiple_of_8(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Elements from byte 24 on, scales from an odd byte on, loaded, doubled and stored at byte 1,000."""
    folder, rows = tmp_path / "build", 4
    write_directory(PROGRAMS["batch 2"], folder)
    values = np.arange(-32, 32).reshape(rows, 16) / 4.0
    elements, scales = encode_rows(bf16_from_float(values), 8, "plena")
    image = np.zeros(333, np.uint8)
    image[24 : 24 + elements.size] = elements.reshape(-1)
    image[325:] = scales.reshape(-1)
    image.tofile(folder / directory.HBM)
    (folder / directory.HBM_SIZE).write_text("1333")
    text = """
        S_ADDI_INT gp1, gp0, 24
        C_SET_ADDR_REG a3, gp0, gp1
        S_ADDI_INT gp2, gp0, 301
        C_SET_SCALE_REG gp2
        H_PREFETCH_V gp0, gp0, a3, 0, 0
        C_LOOP_START gp4, 4
        V_ADD_VV gp3, gp3, gp3
        S_ADDI_INT gp3, gp3, 16
        C_LOOP_END gp4
        S_ADDI_INT gp5, gp0, 976
        H_STORE_V gp0, gp5, a3, 0, 0
    """
    write_program(folder / directory.PROGRAM, assemble(text))
    params = {
        "start_row_idx": 0,
        "num_rows": rows,
        "num_batches": rows,
        "elements_per_batch": 16,
        "row_dim": 16,
    }
    (folder / comparison.FILE).write_text(json.dumps(params))
    write_golden(folder, 2 * HbmFormat("plena", 8).values(bf16_from_float(values)))
    assert run_build(folder, tmp_path / "out") == 0
    assert "bit-exact with the reference machine: yes" in capsys.readouterr().out
    hbm = np.fromfile(tmp_path / "out" / dumps.NAMES["hbm"], np.uint8)
    assert np.array_equal(hbm[1000 : 1000 + elements.size], elements.reshape(-1))


def test_a_stand_in_for_their_runner(tmp_path: Path) -> None:
    """A link at the path where it looks; its working directory, patterns and copies of the dumps."""
    folder, place = tmp_path / "build", tmp_path / "transactional_emulator"
    write_directory(PROGRAMS["batch 2"], folder)
    binary = place / "target" / "release" / "transactional_emulator"
    binary.parent.mkdir(parents=True)
    binary.symlink_to(simulate.REPO / "scripts" / "plena-emulator")
    (place / dumps.NAMES["hbm"]).write_bytes(b"old")
    for _ in range(2):  # the first may build the model
        started = time.monotonic()
        done = subprocess.run(
            [str(binary), *command_line(folder), "--clock-period-ns", "0.5", "--sim", SIMULATOR],
            cwd=place,
            env=os.environ | {"RUST_LOG": "warn"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
        assert done.returncode == 0, done.stdout
    found: dict[str, re.Match[str] | None] = {name: None for name in ("latency", "topology", "hbm")}
    for line in done.stdout.splitlines():
        for name, pattern in (("latency", LATENCY), ("topology", TOPOLOGY), ("hbm", HBM)):
            found[name] = pattern.search(line) or found[name]
    latency, topology, hbm = (found[name] for name in ("latency", "topology", "hbm"))
    assert latency and topology and hbm, done.stdout
    assert [int(text) for text in topology.groups()] == [16, 16, 4]
    assert run_build(folder, tmp_path / "out") == 0
    stats = json.loads((tmp_path / "out" / build_command.STATS).read_text())
    assert float(latency[1]) == 0.5 * stats["cycles"]
    totals = stats["counters"]["totals"]
    assert (int(hbm[1]), int(hbm[2])) == (64 * totals["read_beats"], 64 * totals["write_beats"])
    assert float(hbm[3]) == pytest.approx((int(hbm[1]) + int(hbm[2])) / (float(latency[1]) * 1e-9), rel=0.01)
    for dump in DUMPS:
        assert (place / dump).read_bytes() == (tmp_path / "out" / dump).read_bytes()
    assert not (place / dumps.NAMES["hbm"]).exists()
    # On a quiet host it is about 1 s; this only notices a build or a run of something else.
    assert seconds < 20


def test_a_trap_of_the_emulator_leaves_no_dump(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "build"
    write_directory(PROGRAMS["batch 2"], folder)
    write_program(folder / directory.PROGRAM, assemble("S_ADDI_INT gp1, gp0, 8\nV_ADD_VF gp1, gp0, f0, 0"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / dumps.NAMES["vram"]).write_bytes(b"old")
    assert emulator.main(command_line(folder)) == 1
    captured = capsys.readouterr()
    assert captured.err == (
        "error: trap VRAM_MISALIGNED at pc 1: V_ADD_VF gp1, gp0, f0, 0: "
        "VRAM element gp1 = 8 is no multiple of VLEN = 16\n"
    )
    assert "Simulation completed" not in captured.out and not list(tmp_path.glob("*.bin"))
