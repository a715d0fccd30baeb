"""The part of a run that its waves hold: places of a program, their order, and whether a run came to them."""

from __future__ import annotations

import numpy as np
import pytest

from tb.bench import options, wave_places, wave_window
from tb.bench.wave_places import Place, WavePlaceError

LISTING = """; a program
; load
S_ADDI_INT gp1, gp0, 8 ;    0 0x00000000
S_ADDI_INT gp1, gp0, 8 ;    1 0x00000000
C_LOOP_START gp2, 3    ;    2 0x00000000 | work
  ; the sum
  V_ADD_VV gp1, gp1, gp1 ;    3 0x00000000
C_LOOP_END gp2         ;    4 0x00000000
; store
C_BREAK                ;    5 0x00000000
"""
#: pc 0 and 1 retire in cycle 50, the loop in 51 to 54.
TRACE = np.array([(0, 0, 50), (1, 0, 50), (2, 0, 51), (3, 0, 52), (4, 0, 53), (3, 0, 54)], np.uint32)


def places(start: str | None, end: str | None) -> tuple[Place | None, Place | None]:
    """The options as a command reads them."""
    typed = {"WAVES_FROM": start, "WAVES_TO": end}
    run = options.take_run_options({key: text for key, text in typed.items() if text is not None})
    assert run.waves
    return run.waves_from, run.waves_to


@pytest.mark.parametrize(
    ("start", "end", "plusargs"),
    [
        ("700", "cycle:900", ["+waves_from_cycle=700", "+waves_to_cycle=900"]),
        ("pc:3", None, ["+waves_from_pc=3"]),
        ("stage:work", "stage:WORK", ["+waves_from_pc=2", "+waves_to_pc=5"]),
        ("stage:sum", "stage:sum", ["+waves_from_pc=3", "+waves_to_pc=4"]),
        (None, "stage:load", ["+waves_to_pc=2"]),
        ("stage:load", "stage:store", ["+waves_from_pc=0"]),
        ("wrong", "wrong", ["+waves_from_cycle=50", "+waves_to_cycle=250"]),
    ],
)
def test_what_the_bench_is_told(start: str | None, end: str | None, plusargs: list[str]) -> None:
    window = wave_window.resolve(*places(start, end), LISTING, 6, wrong=150)
    assert window.plusargs() == plusargs


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        ("pc:6", None, "WAVES_FROM=pc:6: the program has 6 instructions, the last at pc 5"),
        (None, "stage:stroe", "WAVES_TO=stage:stroe: did you mean stage:store?"),
        (None, "stage:x", "WAVES_TO=stage:x: there are load, work, store"),
        ("9", "3", "WAVES_FROM=9: it comes after WAVES_TO=3"),
        ("stage:store", "pc:1", "WAVES_FROM=stage:store: it comes after WAVES_TO=pc:1"),
        ("wrong", None, "WAVES_FROM=wrong: no wrong instruction is known"),
    ],
)
def test_places_that_a_program_does_not_have(start: str | None, end: str | None, why: str) -> None:
    with pytest.raises(WavePlaceError) as raised:
        wave_window.resolve(*places(start, end), LISTING, 6)
    assert str(raised.value).startswith(why)


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        ("80", None, "WAVES_FROM=80: the run has cycles 0 to 59"),
        (None, "pc:5", "WAVES_TO=pc:5: no instruction at pc 5 retired"),
        ("pc:3", "51", "WAVES_FROM=pc:3: it is cycle 52, after the end of the waves, 51"),
    ],
)
def test_places_that_a_run_did_not_come_to(start: str | None, end: str | None, why: str) -> None:
    window = wave_window.resolve(*places(start, end), LISTING, 6)
    with pytest.raises(WavePlaceError) as raised:
        window.check(TRACE, 60)
    assert str(raised.value) == why


def test_places_that_a_run_came_to() -> None:
    for start, end in (("pc:1", "pc:3"), ("50", "59"), ("wrong", "wrong"), (None, None)):
        given = (None, None) if start is None else places(start, end)
        wave_window.resolve(*given, LISTING, 6, wrong=55).check(TRACE, 60)


@pytest.mark.parametrize("text", ["soon", "pc:x", "cycle:-1", "stage:", "pc:3000000000", "wave:3"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(options.UsageError, match="give cycle:700, pc:131, wrong or stage:name"):
        options.take_run_options({"WAVES_TO": text})


def test_no_waves_and_a_part_of_them() -> None:
    with pytest.raises(options.UsageError, match="WAVES_FROM= means nothing with WAVES=0"):
        options.take_run_options({"WAVES": "0", "WAVES_FROM": "3"})
    assert wave_places.read("AT", "wrong", ("wrong",)).kind == "wrong"
