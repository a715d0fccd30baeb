"""``make run BUILD=`` on the reference machine: verdicts, files, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.isa.machine_code import read_program, write_program
from plena_ref.machine.hardware import Hardware
from plena_ref.workloads.case import make_case
from plena_ref.workloads.registry import CASES
from tb.peer import build_command, comparison, directory, dumps, export_command, golden, settings
from tb.system import schemas
from tests.peer.directories import (
    NAME,
    change_json,
    replace_in,
    set_parameters,
    small_case,
    write_tensor,
)
from tests.peer.directories import directory as build_directory
from tests.refusals import refusals

LEFT = {*dumps.NAMES.values(), build_command.STATS, build_command.REPORT}


def run(folder: Path, *arguments: str) -> int:
    return build_command.main([f"BUILD={folder}", f"OUT={folder / 'out'}", "SIM=reference", *arguments])


def stats(folder: Path) -> dict:
    found = json.loads((folder / "out" / build_command.STATS).read_text())
    assert schemas.errors("build_stats", found) == []
    return found


def golden_values(folder: Path) -> np.ndarray:
    rows = json.loads((folder / comparison.FILE).read_text())["num_batches"]
    return golden.read(folder, rows).values


def got_values(folder: Path) -> np.ndarray:
    """What a run left of the result, as float64."""
    run(folder)
    vram = np.fromfile(folder / "out" / "vram_dump.bin", "<u2")
    params = comparison.read(folder)
    words = vram[params.places(golden_values(folder).shape[1])]
    return (words.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def test_both_verdicts_pass_and_the_files_have_their_formats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = build_directory(tmp_path)
    assert run(folder) == 0
    said = capsys.readouterr().out
    assert "peer: PASS, ours: PASS" in said and "pass mark 90%" in said and "vacuous: no" in said
    out = folder / "out"
    assert {path.name for path in out.iterdir()} == LEFT
    assert (out / "vram_dump.bin").stat().st_size >= 2 * comparison.read(folder).end
    wanted, got = golden_values(folder), got_values(folder)
    assert (np.abs(got - wanted) <= 0.02 + 0.02 * np.abs(wanted)).all()
    assert np.fromfile(out / "mram_dump.bin", "<u2").size == 64 * 16 * 16
    assert (out / "fpsram_dump.bin").stat().st_size == 2 * 1024
    assert (out / "intsram_dump.bin").stat().st_size == 4 * 1024
    found = stats(folder)
    assert found["peer"]["passed"] and found["ours"]["passed"] and not found["peer"]["vacuous"]
    assert found["ours"]["preloaded_words_changed"] == {"vram": 0, "hbm": 0}
    assert found["ours"]["elements_not_written"] == 0 and found["ours"]["bit_exact"] is None


@pytest.mark.parametrize("change", [1.0, np.nan, -0.11, 0.03])
def test_one_wrong_golden_element_fails(
    change: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = build_directory(tmp_path)
    values = golden_values(folder)
    values[5, 17] = got_values(folder)[5, 17] + change * (1.1 + abs(values[5, 17]))
    write_tensor(folder / golden.TENSOR, values)
    assert run(folder) == 1
    said = capsys.readouterr().out
    assert "peer: PASS, ours: FAIL" in said
    assert "worst miss of batch 1 (1, 17)" in said and "last written by pc" in said and "stage '" in said


def test_rare_small_misses_pass_where_they_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of 1,024 elements off by 0.05: a miss, which the looser tolerance has room for."""
    folder = build_directory(tmp_path)
    values = golden_values(folder)
    values[5, 17] = got_values(folder)[5, 17] + 0.05 + 0.03 * abs(values[5, 17])
    write_tensor(folder / golden.TENSOR, values)
    assert values.size >= 1000 and run(folder) == 1
    said = capsys.readouterr().out
    assert "0.02 + 0.02*|golden|, all must be" in said and "TOLERANCE=bf16_limited passes them" in said
    assert run(folder, "TOLERANCE=bf16_limited") == 0
    assert "99.9% must be" in capsys.readouterr().out
    assert run(folder, "TOLERANCE=wide") == 2
    assert "TOLERANCE=wide is unknown; there are strict, bf16_limited" in capsys.readouterr().err


def test_many_wrong_elements_fail_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build_directory(tmp_path)
    write_tensor(folder / golden.TENSOR, golden_values(folder) + 3)
    assert run(folder) == 1
    assert "peer: FAIL, ours: FAIL" in capsys.readouterr().out


def test_a_vacuous_golden_is_judged_in_proportion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Zeros lie within the usual tolerance of small values: both verdicts say so, and ours still fails."""
    folder = build_directory(tmp_path)
    write_tensor(folder / golden.TENSOR, golden_values(folder) * 1e-3)
    write_program(folder / directory.PROGRAM, assemble("V_ADD_VF gp0, gp0, f0, 0\nC_BREAK"))
    set_parameters(folder, start_row_idx=1024)
    assert run(folder) == 1
    said = capsys.readouterr().out
    assert "peer: PASS, ours: FAIL" in said and "vacuous: yes, it would PASS" in said
    assert "the program wrote no element of the result" in said
    assert "judged in proportion to the largest element" in said
    assert "another number of instructions" in said
    assert [row["match_percent"] < 50 for row in stats(folder)["ours"]["batches"]] == [True, True]


def test_overwritten_inputs_are_counted(tmp_path: Path) -> None:
    """A program that adds 1 to a preloaded row and stores it over the HBM image."""
    folder = build_directory(tmp_path)
    path = folder / directory.VRAM
    staged = np.fromfile(path, "<u2")
    staged[:16] = 0x3F80
    staged.tofile(path)
    write_program(
        folder / directory.PROGRAM, assemble("V_ADD_VV gp0, gp0, gp0\nH_STORE_V gp0, gp0, a0, 0, 0")
    )
    assert run(folder) == 1
    changed = stats(folder)["ours"]["preloaded_words_changed"]
    assert changed["vram"] == 16 and changed["hbm"] > 0


def test_two_decimals_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build_directory(tmp_path)
    rows = "\n".join(" ".join(f"{value:.2f}" for value in row) for row in golden_values(folder))
    (folder / golden.TEXT).write_text(f"{golden.HEADING}\n[\n{rows}\n]")
    run(folder)
    assert "two decimals: each value is off by up to 0.005" in capsys.readouterr().out
    assert stats(folder)["golden"] == {"file": golden.TEXT, "two_decimals": True}


def test_nothing_but_the_files_is_assumed(tmp_path: Path) -> None:
    """Another name, other addresses and shapes, no optional file."""
    case = small_case("other", "linear", seq=9, in_features=40, out_features=24)
    folder = build_directory(tmp_path, case, "renamed dir")
    for name in (directory.ASSEMBLY, directory.HBM_SIZE, directory.INT_MEM):
        (folder / name).unlink()
    values = golden_values(folder)
    (folder / golden.TEXT).unlink()
    write_tensor(folder / golden.TENSOR, values)
    words = read_program(folder / directory.PROGRAM)
    text = (
        "  ".join(f"{word:08x}" for word in words[:9]) + "\n" + " ".join(f"0X{word:X}" for word in words[9:])
    )
    (folder / directory.PROGRAM).write_text(text)
    assert run(folder) == 0


def test_without_settings_options_and_row_dim_shape_the_machine(tmp_path: Path) -> None:
    folder = build_directory(tmp_path)
    (folder / settings.FILE).unlink()
    assert run(folder) == 0
    assert (
        stats(folder)["machine"] | {"MLEN": 16, "BLEN": 4, "HLEN": 16, "VPREF": 4} == stats(folder)["machine"]
    )
    assert run(folder, "BLEN=8") == 1
    assert run(folder, "HBM_BYTES=1048576", "HLEN=8", "VPREF=4") == 0
    assert stats(folder)["machine"]["HLEN"] == 8


def test_vram_grows_with_the_result_and_with_the_program(tmp_path: Path) -> None:
    folder = build_directory(tmp_path)
    (folder / settings.FILE).unlink()
    write_program(folder / directory.PROGRAM, assemble("S_LUI_INT gp1, 640\nV_ADD_VF gp1, gp1, f0, 0"))
    assert run(folder) == 1
    assert stats(folder)["machine"]["VRAM_ELEMS"] == 1 << 22 and stats(folder)["status"] == "stopped"
    set_parameters(folder, start_row_idx=1 << 17)
    assert run(folder) == 1
    params = comparison.read(folder)
    assert (folder / "out" / "vram_dump.bin").stat().st_size >= 2 * params.end > 1 << 22


def _unlink(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _write(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


#: What is done to a good directory, and what the one line of the error names.
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no program": (_unlink(directory.PROGRAM), "generated_machine_code.mem: No such file"),
    "odd program": (_write(directory.PROGRAM, b"0x34 zz"), "generated_machine_code.mem: word 2: 'zz' is not"),
    "empty program": (_write(directory.PROGRAM, b"\n"), "generated_machine_code.mem: it holds no word"),
    "wide word": (_write(directory.PROGRAM, b"123456789"), "generated_machine_code.mem: word 1"),
    "binary program": (_write(directory.PROGRAM, b"\xff\xfe"), "generated_machine_code.mem: byte 0 is not"),
    "no hbm": (_unlink(directory.HBM), "hbm_for_behave_sim.bin: No such file"),
    "hbm size": (_write(directory.HBM_SIZE, b"64"), "hbm_size.txt: 64 bytes are less than"),
    "hbm size text": (_write(directory.HBM_SIZE, b"1G"), "hbm_size.txt: '1G' is no number of bytes"),
    "no fp": (_unlink(directory.FP_MEM), "fp_sram.bin: No such file"),
    "odd fp": (_write(directory.FP_MEM, b"abc"), "fp_sram.bin: 3 bytes are no whole number of 2-byte words"),
    "odd int": (
        _write(directory.INT_MEM, b"ab"),
        "int_sram.bin: 2 bytes are no whole number of 4-byte words",
    ),
    "odd vram": (_write(directory.VRAM, b"a"), "vram_preload.bin: 1 bytes are no whole number"),
    "large vram": (_write(directory.VRAM, bytes(1 << 22)), "vram_preload.bin: 2097152 words do not fit vram"),
    "no parameters": (_unlink(comparison.FILE), "comparison_params.json: No such file"),
    "row_dim": (lambda folder: set_parameters(folder, row_dim=32), "json: row_dim: 32, but MLEN is 16"),
    "far result": (
        lambda folder: set_parameters(folder, start_row_idx=1 << 30),
        "start_row_idx: the result ends at row",
    ),
    "no golden": (_unlink(golden.TEXT), "golden_result.txt: No such file"),
    "short golden": (
        lambda folder: set_parameters(folder, num_batches=7, active_seq_per_batch=None),
        "golden_result.txt: 1024 values do not make num_batches = 7 rows",
    ),
    "settings key": (
        lambda folder: replace_in(folder / settings.FILE, "CONFIG.BLEN", "CONFIG.BLOCK"),
        "plena_settings.toml: TRANSACTIONAL.CONFIG.BLOCK: unknown setting",
    ),
    "settings value": (
        lambda folder: replace_in(folder / settings.FILE, "BLEN]\nvalue = 4", "BLEN]\nvalue = 5"),
        "BLEN must be a power of two (got blen = 5)",
    ),
    "tiles": (
        lambda folder: replace_in(folder / settings.FILE, "value = 1024", "value = 1000"),
        "plena_settings.toml: TRANSACTIONAL.CONFIG.MATRIX_SRAM_SIZE: 1000 rows are no whole number of tiles",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_no_dump(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = build_directory(tmp_path)
    out = folder / "out"
    out.mkdir()
    for old in LEFT:
        (out / old).write_bytes(b"old")
    change, named = BAD[name]
    change(folder)
    assert run(folder) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1 and named in captured.err
    assert captured.out == "" and list(out.iterdir()) == []


@pytest.mark.parametrize(("arguments", "why"), refusals("build_command"))
def test_a_command_that_cannot_be_understood(
    arguments: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stats.json").write_text("old")
    assert build_command.main([*arguments, f"OUT={tmp_path}"]) == 2
    assert why in capsys.readouterr().err
    assert "BUILD= is missing" in why or not list(tmp_path.iterdir())


#: Programs that trap, and what the line about them says.
TRAPS = {
    "S_LUI_INT gp1, 65536\nV_ADD_VF gp1, gp1, f0, 0": "VRAM row 16777216 (gp1 = 268435456), but there "
    "are 65536 rows: raise VECTOR_SRAM_SIZE in",
    "S_ADDI_INT gp1, gp0, 8\nV_ADD_VF gp1, gp0, f0, 0": "VRAM element gp1 = 8 is no multiple of VLEN = 16",
    "S_LUI_INT gp1, 16\nH_PREFETCH_M gp1, gp0, a0, 0, 0": "MSRAM tile 256 (gp1 = 65536), but there are "
    "64: raise MATRIX_SRAM_SIZE",
    "S_ADDI_INT gp1, gp0, 8\nM_MM 0, gp1, gp0": "",
    "S_ADDI_INT gp1, gp0, 2\nM_MM 0, gp1, gp0": "lies at 2 in its tile, which must be a multiple of "
    "BLEN*MLEN = 64",
    "S_ADDI_INT gp1, gp0, 5000\nS_LD_FP f1, gp1, 0": "FP_MEM word 5000 (gp1 = 5000 + 0)",
    "S_ADDI_INT gp1, gp0, 12\nH_PREFETCH_V gp0, gp1, a2, 0, 0": "gp1 = 12: base, offset and STRIDE must each "
    "be a multiple of MX_BLOCK = 8",
    "S_LUI_INT gp1, 65536\nH_PREFETCH_V gp0, gp1, a2, 0, 0": "a transfer from HBM byte 268435456",
    ".word 0x00400034": "the bits 0x00400000 of 0x00400034 must be 0",
    ".word 0x0000426B": "aD is a9; there are a0..a7",
    ".word 0x00000000": "there is no instruction with this opcode",
    "C_LOOP_END gp3": "the innermost open loop has another counter",
}


@pytest.mark.parametrize("text", TRAPS)
def test_a_trap_names_instruction_stage_and_rule(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = build_directory(tmp_path)
    # FP_MEM and INT_MEM grow with a program unless the settings say how large they are.
    replace_in(folder / settings.FILE, "[TRANS", "[TRANSACTIONAL.CONFIG.FP_SRAM_SIZE]\nvalue = 1024\n[TRANS")
    write_program(folder / directory.PROGRAM, assemble(text))
    (folder / directory.ASSEMBLY).write_text(f"; === Softmax, tile 3 ===\n{text}\n")
    assert run(folder) == 1
    said = " ".join(capsys.readouterr().out.split())
    if TRAPS[text]:
        pc = len(text.splitlines()) - 1
        assert f"trap {stats(folder)['cause']} at pc {pc}: " in said
        assert f"(stage 'Softmax, tile 3', line {pc + 2} of {directory.ASSEMBLY})" in said
        assert TRAPS[text] in said
    else:
        assert stats(folder)["status"] == "stopped"


def test_hardware_options_are_those_of_the_machine(tmp_path: Path) -> None:
    folder = build_directory(tmp_path)
    change_json(folder / comparison.FILE, lambda params: params.update(min_allclose_match_rate=None))
    assert run(folder, f"FP_WORDS={2 * Hardware().fp_words}", "LOOP_DEPTH=4") == 0
    machine = stats(folder)["machine"]
    assert (machine["FP_WORDS"], machine["LOOP_DEPTH"]) == (2048, 4)
    assert NAME in str(folder) or folder.name == "build"


def test_a_case_is_exported_and_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "exported"
    command = [f"TEST={NAME}", f"OUT={folder}"]
    assert export_command.main([*command, "SEQ=3", "BATCH=1"]) == 0
    assert run(folder) == 0
    assert export_command.main(command) == 2
    assert export_command.main(["TEST=nothing", f"OUT={tmp_path / 'x'}"]) == 2
    assert export_command.main([f"TEST={NAME}"]) == 2
    errors = capsys.readouterr().err
    assert all(f"error: {text}" in errors for text in ("OUT=", "TEST=nothing is unknown", "OUT= is missing"))


def test_transfers_of_bf16_follow_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Weights in HBM as bf16: read by the type in the settings; with the usual type the result is wrong."""
    hw = replace(CASES[NAME].hardware, hbm_bf16="m0")
    case = make_case("weights", hw, "linear", seq=5, in_features=24, out_features=20)
    folder = build_directory(tmp_path, case)
    assert run(folder) == 0
    said = capsys.readouterr().out
    assert "transfers m0 move bf16" in said and "elements of HBM as PLENA has E4M3" in said
    assert run(folder, "HBM_BF16=none") == 1


def test_the_element_format_is_the_tools_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Elements whose exponent field is 0 are worth half as much in the tools' format as in OCP's."""
    folder = build_directory(tmp_path)
    rows = 4 * 16
    np.concatenate([np.full(rows, 4, np.uint8), np.full(rows // 8, 127 + 8, np.uint8)]).tofile(
        folder / directory.HBM
    )
    text = f"S_ADDI_INT gp1, gp0, {rows}\nC_SET_SCALE_REG gp1\nH_PREFETCH_V gp0, gp0, a0, 0, 0"
    write_program(folder / directory.PROGRAM, assemble(text))
    set_parameters(
        folder,
        start_row_idx=0,
        num_rows=4,
        num_batches=4,
        elements_per_batch=16,
        rows_per_batch=None,
        active_seq_per_batch=None,
    )
    write_tensor(folder / golden.TENSOR, np.full((4, 16), 4 / 8 * 2.0**-7 * 2.0**8))
    assert run(folder) == 0
    assert run(folder, "ELEMENT=ocp") == 1
    assert "elements of HBM as OCP has E4M3" in capsys.readouterr().out
