"""The emulator's command line: what it reads and refuses, without a simulation."""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from plena_ref.isa.machine_code import read_program, write_program
from tb.engine.paths import REPO
from tb.peer import directory, dumps, emulator, settings, stages
from tests.peer.directories import directory as build_directory
from tests.refusals import refusals


def arguments(folder: Path, *more: str) -> list[str]:
    files = {"opcode": directory.PROGRAM, "hbm": directory.HBM, "fpsram": directory.FP_MEM}
    return [*(part for key, name in files.items() for part in (f"--{key}", str(folder / name))), *more]


def read(folder: Path, where: Path, *more: str) -> tuple:
    program, remarks = emulator.read(emulator._parser().parse_args(arguments(folder, *more)), where)
    return program.shape, remarks


def test_settings_come_from_option_environment_or_the_folder_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(settings.VARIABLE, raising=False)
    folder, above = build_directory(tmp_path), tmp_path / "above"
    file = folder / settings.FILE
    (above / "emulator").mkdir(parents=True)
    shape, remarks = read(folder, above / "emulator")
    assert shape.hardware.mlen == 64 and shape.hardware.hlen == 16 and "no settings file" in remarks[0]
    assert shape.hardware.blen == shape.hardware.vpref == shape.hardware.vstore == 4
    (above / settings.FILE).write_text(file.read_text())
    assert read(folder, above / "emulator")[0].hardware.mlen == 16
    (above / settings.FILE).unlink()
    monkeypatch.setenv(settings.VARIABLE, str(file))
    assert read(folder, above / "emulator")[0].hardware.mlen == 16
    monkeypatch.setenv(settings.VARIABLE, "nowhere.toml")
    assert read(folder, above, "--settings", str(file))[0].hardware.mlen == 16


@pytest.mark.parametrize(("text", "limit"), [("1M", 1 << 20), ("256M", 256 << 20), ("100000", 100032)])
def test_sizes_of_hbm(text: str, limit: int, tmp_path: Path) -> None:
    folder = build_directory(tmp_path)
    shape, _ = read(folder, tmp_path, "--settings", str(folder / settings.FILE), "--hbm-size", text)
    assert shape.limit == limit <= shape.hardware.hbm_bytes


def test_an_hbm_that_is_too_large_to_build_is_cut_and_said(tmp_path: Path) -> None:
    folder = build_directory(tmp_path)
    shape, remarks = read(folder, tmp_path, "--settings", str(folder / settings.FILE), "--hbm-size", "16G")
    assert shape.limit == shape.hardware.hbm_bytes == 1 << 30
    assert "HBM ends at byte 1073741824; 17179869184 bytes were asked for" in remarks


@pytest.mark.parametrize(("more", "why"), refusals("emulator"))
def test_what_is_refused(
    more: list[str],
    why: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = build_directory(tmp_path)
    monkeypatch.chdir(tmp_path)
    settings_file = [] if "--settings" in more else ["--settings", str(folder / settings.FILE)]
    try:
        status = emulator.main(arguments(folder, *settings_file, *more))
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2 and captured.err.startswith("error: ") and captured.err.count("\n") == 1
    assert why in captured.err and not list(tmp_path.glob("*.bin"))


def test_old_dumps_go_when_the_input_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build_directory(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in dumps.NAMES.values():
        (tmp_path / name).write_bytes(b"old")
    (folder / directory.PROGRAM).write_text("no program")
    assert emulator.main(arguments(folder)) == 2
    assert not list(tmp_path.glob("*.bin"))
    (tmp_path / dumps.NAMES["vram"]).write_bytes(b"old")
    with pytest.raises(SystemExit):
        emulator.main(arguments(folder, "--unheard-of"))
    assert not list(tmp_path.glob("*.bin"))


def test_a_text_of_another_length_is_said_and_cut(tmp_path: Path) -> None:
    folder = build_directory(tmp_path)
    asm = ["--stage-profile-asm", str(folder / directory.ASSEMBLY), "--stage-profile-out", "p.json"]
    told = len(read_program(folder / directory.PROGRAM))
    for count in (1, told + 1):
        write_program(folder / directory.PROGRAM, [0x34] * count)
        program, remarks = emulator.read(emulator._parser().parse_args(arguments(folder, *asm)), tmp_path)
        assert len(program.stages.names) == len(program.stages.lines) == count
        assert f"{told} instructions, but the program has {count}; its stages may be misplaced" in remarks[1]
    assert program.stages.names[-1] == stages.OTHER


def test_the_console_command_is_this_function() -> None:
    entry = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["scripts"]["plena-emulator"]
    module, function = entry.replace("plena_sim", "tb").split(":")
    assert getattr(import_module(module), function) is emulator.console


def test_a_program_too_large_for_its_usual_place_lies_behind_the_data(tmp_path: Path) -> None:
    folder = build_directory(tmp_path)
    program, _ = emulator.read(
        emulator._parser().parse_args(arguments(folder, "--hbm-size", "64M")), tmp_path
    )
    assert program.program_base is None and program.shape.hardware.hbm_bytes == 64 << 20
    (folder / directory.PROGRAM).write_text("34\n" * ((1 << 20) + 1))
    program, _ = emulator.read(
        emulator._parser().parse_args(arguments(folder, "--hbm-size", "64M")), tmp_path
    )
    assert program.program_base == program.shape.limit == 64 << 20
    assert program.shape.hardware.hbm_bytes == 128 << 20
