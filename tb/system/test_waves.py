"""Waves: the FST holds the retired opcodes in order, and the save file shows what is really there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import pywellen

from plena_ref.isa import instructions as isa
from plena_ref.isa.assembler import assemble
from tb.bench import program_command, wave_filters, wave_views, waves
from tb.diagnosis.account import WAVE_START_NS
from tb.engine import simulate

SMALL = ["MLEN=8", "BLEN=4", "VRAM_ELEMS=1024", "MSRAM_TILES=2", "FP_WORDS=64", "INT_WORDS=64"]
PROGRAM = """
S_ADDI_INT gp1, gp0, 8
C_LOOP_START gp2, 3
V_ADD_VV gp1, gp1, gp1
S_ST_INT gp1, gp0, 1
C_LOOP_END gp2
S_LD_INT gp3, gp0, 1
S_ST_FP f0, gp0, 4
C_BREAK
"""
LOOP = ["V_ADD_VV", "S_ST_INT", "C_LOOP_END"]
RETIRED = ["S_ADDI_INT", "C_LOOP_START", *LOOP * 3, "S_LD_INT", "S_ST_FP", "C_BREAK"]


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_retired_opcodes_in_the_wave_file(simulator: str, tmp_path: Path) -> None:
    """Reading the FST back gives the opcodes that the program executes, loop passes included."""
    simulate.require(simulator)
    program = tmp_path / "p.mem"
    program.write_text("".join(f"0x{word:08X}\n" for word in assemble(PROGRAM)))
    out = tmp_path / "out"
    arguments = [f"PROGRAM={program}", f"OUT={out}", f"SIM={simulator}", "WAVES=1", *SMALL]
    assert program_command.main(arguments) == 0
    folder = out / "simulation"
    expected = [isa.INSTRUCTIONS[mnemonic].opcode for mnemonic in RETIRED]
    assert waves.retired_opcodes(folder / waves.WAVE_FILE) == expected
    _check_save_file(folder)


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_a_part_of_a_run(simulator: str, tmp_path: Path) -> None:
    """From the first pass of one pc to that of another: nothing before, and after it at most its edge."""
    simulate.require(simulator)
    program = tmp_path / "p.mem"
    program.write_text("".join(f"0x{word:08X}\n" for word in assemble(PROGRAM)))
    arguments = [f"PROGRAM={program}", f"OUT={tmp_path / 'out'}", f"SIM={simulator}", *SMALL]
    assert program_command.main([*arguments, "WAVES_FROM=pc:3", "WAVES_TO=pc:6"]) == 0
    folder = tmp_path / "out" / "simulation"
    inside = [isa.INSTRUCTIONS[mnemonic].opcode for mnemonic in RETIRED[3:13]]
    retired = waves.retired_opcodes(folder / waves.WAVE_FILE)
    assert inside[:-1] == retired[:9] and retired in (inside, inside[:-1])
    first, last = waves.held(folder)
    assert first > 100, "the program was fetched before"
    assert 7 <= last - first <= 8


def _check_save_file(folder: Path) -> None:
    """It names what the FST holds and nothing else, every chosen line among it; its filters are there."""
    text = (folder / waves.SAVE_FILE).read_text()
    assert str(folder) not in text
    known = {variable.full_name for variable in pywellen.Waveform(str(folder / waves.WAVE_FILE)).all_vars()}
    shown = set(re.findall(r"(plena_tb\.[^\s\[]+)", text))
    assert shown and shown <= known
    chosen = [wave_views.OVERVIEW, *wave_views.PIPELINE, wave_views.rows(8)]
    assert {line.signal for view in chosen for line in view.lines} <= shown
    for title in [*(view.title for view in chosen), *(f"{title}: all signals" for title, _ in waves.UNITS)]:
        assert f"-{title}\n" in text
    for file in re.findall(r"^\^1 (\S+)$|^\^>1 \./(\S+)$", text, re.MULTILINE):
        assert (folder / "".join(file)).exists()
    names = dict(line.split() for line in (folder / wave_filters.file_of("opcode")).read_text().splitlines())
    assert names[f"{isa.INSTRUCTIONS['M_MM_WO'].opcode:02x}"] == "M_MM_WO"
    surfer = re.findall(r"^variable_add (\S+)$", (folder / waves.SURFER_FILE).read_text(), re.MULTILINE)
    assert set(surfer) <= known
    state = (folder / waves.SURFER_STATE).read_text()
    named = re.findall(r'strs: \[([^]]*)\], id: Wellen\(\(1\)\)\), name: "([^"]*)"', state)
    paths = {".".join([*re.findall(r'"([^"]*)"', scopes), name]) for scopes, name in named}
    assert paths == set(surfer)
    _check_window(folder)


def _check_window(folder: Path) -> None:
    """It opens on the run; at a place the cursor stands where the cycle counter has that value."""
    dump = pywellen.Waveform(str(folder / waves.WAVE_FILE))
    (counter,) = (one for one in dump.all_vars() if one.full_name == "plena_tb.u_core.cycles")
    times = {value: time for time, value in counter.tv}
    assert times[5] == 1000 * (WAVE_START_NS + 5), "the bench's host starts programs at another time"
    text = waves.write_save_file(folder, 5).read_text()
    (start,) = re.findall(r"^\[timestart\] (\d+)$", text, re.MULTILINE)
    (cursor,) = re.findall(r"^\*-\d+\.\d+ (-?\d+) ", text, re.MULTILINE)
    assert int(cursor) == times[5] and int(start) <= int(cursor)
