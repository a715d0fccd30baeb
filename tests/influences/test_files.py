"""Files as editors and other systems leave them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from plena_ref.__main__ import main as plena
from plena_ref.isa.machine_code import read_program
from scripts import lint
from tb.bench import program_command
from tb.engine import simulate, verilator
from tb.engine.model import Options
from tests.influences.rows import row

_FILES = "Files"
_MARK = b"\xef\xbb\xbf"


@row(_FILES, "a byte-order mark in front of machine code or assembly", "it is skipped")
def test_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "p.mem").write_bytes(_MARK + b"0x00000034\n")
    assert read_program(tmp_path / "p.mem") == [0x34]
    (tmp_path / "p.s").write_bytes(_MARK + b"C_BREAK\n")
    assert plena(["assemble", str(tmp_path / "p.s"), "-o", str(tmp_path / "q.mem")]) == 0
    assert read_program(tmp_path / "q.mem") == [0x34]


@row(_FILES, "machine code or assembly in Latin-1", "one `error:` line with file, line and byte")
def test_latin_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.s").write_bytes("C_BREAK\n; é\n".encode("latin-1"))
    assert plena(["assemble", str(tmp_path / "p.s")]) != 0
    assert capsys.readouterr().err == f"error: {tmp_path / 'p.s'}:2: byte 0xE9 is no UTF-8 text\n"
    (tmp_path / "p.mem").write_bytes("0x34 é\n".encode("latin-1"))
    arguments = [f"PROGRAM={tmp_path / 'p.mem'}", f"OUT={tmp_path / 'out'}", "SIM=reference"]
    assert program_command.main(arguments) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'p.mem'}:1: byte 0xE9 is no UTF-8 text\n"


@row(
    _FILES,
    "`lz4.h`, `zlib.h` or `wave_stop.cpp` of `tb/engine` are edited",
    "models with waves, which hold them, are built again",
)
@pytest.mark.parametrize("name", ["compression/lz4.h", "compression/zlib.h", "wave_stop.cpp"])
def test_sources_of_waves_are_part_of_the_key(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = simulate.REPO / "tb" / "engine"
    shutil.copytree(engine / "compression", tmp_path / "compression")
    shutil.copy(engine / "wave_stop.cpp", tmp_path)
    monkeypatch.setattr(verilator, "_COMPRESSION", tmp_path / "compression")
    monkeypatch.setattr(verilator, "_WAVE_STOP", tmp_path / "wave_stop.cpp")
    one = verilator.Verilator()
    files = {waves: one.inputs(Options("top", {}, (), {}, (), True, waves, ())) for waves in (True, False)}
    assert tmp_path / name in files[True] and tmp_path / name not in files[False]


@row(_FILES, "a tarball without git", "every check and test runs: no list of files comes from git")
def test_the_texts_that_are_linted_are_those_of_the_tree() -> None:
    texts = lint.texts()
    assert set(simulate.rtl_sources()[1:]) < set(texts)
    assert {"tb/bench/plena_tb.sv", "tb/synthesis/float_adder.sv"} < set(texts)
