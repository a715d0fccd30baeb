"""Wrong inputs to the commands: each is refused, named, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from plena_ref.__main__ import main as plena_ref
from plena_ref.isa.assembler import assemble
from plena_ref.isa.machine_code import write_program
from tb.bench import case_command, program_command
from tb.engine import simulate

REFUSED_CASES = [
    (["TEST=mha_batch9"], ["mha_batch9", "mha_batch2"]),
    (["TEST=mha_batch2", "BLEN=128"], ["BLEN", "MLEN"]),
    (["TEST=mha_batch2", "HEAD_DIM=0"], ["HEAD_DIM must be at least 1"]),
    (["TEST=mha_batch2", "HEAD_DIM=128", "MSRAM_TILES=3"], ["MSRAM_TILES", "HEAD_DIM"]),
    (["TEST=mha_batch2", "MLEN=48"], ["MLEN", "power of two"]),
    (["TEST=mha_batch2", "SEQ=four"], ["SEQ", "four"]),
    (["TEST=mha_batch2", "SEQ=0"], ["SEQ"]),
    (["TEST=mha_batch2", "HEAD_DIMM=64"], ["HEAD_DIMM"]),
    (["TEST=mha_batch2", "LATENCY=0"], ["LATENCY=0"]),
    (["TEST=mha_batch2", "VRAM_ELEMS=8192"], ["VRAM"]),
    (["TEST=mha_batch2", "BATCH"], ["BATCH", "KEY=VALUE"]),
    (["TEST=mha_batch2", "SIM=modelsim"], ["modelsim", "verilator"]),
    (["TEST=mha_ragged", "KV_SEQ=12"], ["KV_SEQ must not be below SEQ"]),
    (["TEST=mha_ragged", "WINDOW=0"], ["WINDOW must be at least 1"]),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED_CASES, ids=lambda value: " ".join(value))
def test_refused_cases(
    arguments: list[str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(case_command, "RUNS", tmp_path)
    assert case_command.main(arguments) == 2
    printed = capsys.readouterr()
    errors = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and all(word in errors[0] for word in words), printed.err
    assert "PASS" not in printed.out and not list(tmp_path.glob("mha*"))


@pytest.mark.parametrize("command", [case_command, program_command], ids=["make sim", "make run"])
def test_a_simulator_that_is_not_installed(
    command: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_program(tmp_path / "p.mem", [0x34])
    monkeypatch.setenv("PATH", str(tmp_path))
    simulate.find_tool.cache_clear()
    try:
        files = [f"PROGRAM={tmp_path / 'p.mem'}", f"OUT={tmp_path / 'out'}"]
        where = files if command is program_command else []
        assert command.main([*where, "SIM=icarus"]) == 2
    finally:
        monkeypatch.undo()
        simulate.find_tool.cache_clear()
    assert "simulator 'icarus' is not installed: run `apt-get install iverilog`" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


SMALL = ["MLEN=16", "BLEN=4", "HLEN=8", "VRAM_ELEMS=4096", "MSRAM_TILES=4", f"HBM_BYTES={1 << 16}"]


@pytest.mark.parametrize("simulator", ["reference", simulate.default_simulator()])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["VRAM=missing.bin"], ["missing.bin", "No such file"]),
        (["FPMEM=large.bin"], ["large.bin", "2050 bytes", "2048 bytes"]),
        (["INTMEM=odd.bin"], ["odd.bin", "7 bytes", "4-byte"]),
        (["PROGRAM=none.mem"], ["none.mem", "No such file"]),
        (["PROGRAM=typo.mem"], ["typo.mem:2", "0xZZ"]),
        (["BLEN=32"], ["BLEN", "MLEN"]),
        (["OUT="], ["OUT="]),
        (["VRAMM=x"], ["VRAMM"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_refused_programs(
    options: list[str],
    words: list[str],
    simulator: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("large.bin").write_bytes(bytes(2050))
    Path("odd.bin").write_bytes(bytes(7))
    write_program("p.mem", [0x34])
    Path("typo.mem").write_text("0x00000034\n0xZZ\n")
    before = sorted(tmp_path.iterdir())
    given = [option.split("=")[0] for option in options]
    usual = [option for option in [*SMALL, "PROGRAM=p.mem", "OUT=out"] if option.split("=")[0] not in given]
    arguments = [*usual, f"SIM={simulator}", *options]
    assert program_command.main(arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and all(word in printed for word in words), printed
    assert sorted(tmp_path.iterdir()) == before, "something half-written was left behind"


@pytest.mark.parametrize("simulator", ["reference", simulate.default_simulator()])
@pytest.mark.parametrize(
    ("program", "cause", "line"),
    [
        ([0x34 + 0x0B], "ILLEGAL_OPCODE", "trap ILLEGAL_OPCODE at pc 0:"),
        (
            assemble("S_ADDI_INT gp1, gp0, 4096\nV_EXP_V gp0, gp1"),
            "VRAM_RANGE",
            "trap VRAM_RANGE at pc 1: V_EXP_V gp0, gp1",
        ),
        (
            assemble("S_LUI_INT gp1, 16\nC_SET_ADDR_REG a2, gp0, gp1\nH_PREFETCH_V gp0, gp0, a2, 0, 0"),
            "HBM_ERROR",
            "trap HBM_ERROR at pc 2: H_PREFETCH_V gp0, gp0, a2, 0, 0",
        ),
    ],
    ids=["illegal opcode", "address past the end of VRAM", "HBM address past the limit"],
)
def test_programs_that_trap(
    program: list[int],
    cause: str,
    line: str,
    simulator: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_program(tmp_path / "p.mem", program)
    out = tmp_path / "out"
    where = [f"PROGRAM={tmp_path / 'p.mem'}", f"OUT={out}"]
    assert program_command.main([*where, f"SIM={simulator}", *SMALL]) == 1
    assert line in capsys.readouterr().out
    assert f'"cause": "{cause}"' in (out / "stats.json").read_text()


def test_an_assembly_typo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "kernel.s"
    source.write_text("S_ADDI_INT gp1, gp0, 4\nV_ADD_VV gp1, gp2, gp16\n")
    assert plena_ref(["assemble", str(source), "-o", str(tmp_path / "p.mem")]) == 2
    printed = capsys.readouterr().err
    assert "kernel.s:2" in printed and "gp16" in printed
    assert not (tmp_path / "p.mem").exists()
