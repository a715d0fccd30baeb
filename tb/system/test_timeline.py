"""The timeline of a run, decoded with the schema of Perfetto, against its trace and performance counters."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.isa.disassembler import disassemble
from plena_ref.kernels.attention.masks import ROWS_TOGETHER
from plena_ref.workloads.registry import CASES
from tb.bench import perfetto_tracks, timeline, timeline_slices, wave_rows
from tb.bench.case_runner import CaseOutcome, run_case
from tb.bench.options import RunOptions
from tb.bench.perfetto_tracks import Track, spent
from tb.bench.retired import instructions
from tb.bench.run_files import Asked, leave
from tb.engine import simulate

SMALL = {
    **{"MLEN": 8, "BLEN": 4, "BATCH": 1, "SEQ": 10, "HEAD_DIM": 8, "VRAM_ELEMS": 4096, "MSRAM_TILES": 8},
    **{"FP_WORDS": 128, "HBM_BYTES": 65536},
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[CaseOutcome, dict[str, Track], Path]:
    simulate.require("icarus")
    runs = tmp_path_factory.mktemp("runs")
    folder = runs / "run"
    folder.mkdir()
    case = CASES["mha_ragged"].override(**SMALL)
    outcome = run_case(case, RunOptions("icarus", waves=True), folder=folder)
    leave(folder, runs, Asked("make sim", RunOptions()), outcome)
    return outcome, perfetto_tracks.read(timeline.write(folder, case.hardware)), folder


def test_retired_instructions(ran: tuple[CaseOutcome, dict[str, Track], Path]) -> None:
    """Both tracks together are the trace: cycle, assembly, pc and number of each instruction."""
    outcome, tracks, _ = ran
    trace = outcome.got.trace
    assert trace is not None
    slices = [*tracks["retired"].slices, *tracks["retired beside it"].slices]
    got = sorted((facts["number"], begin, end, name, facts["pc"]) for begin, end, name, facts, _ in slices)
    assert got == [
        (number, cycle, cycle + 1, disassemble(word), pc)
        for number, (pc, word, cycle) in enumerate(trace.tolist())
    ]


def test_every_instruction_of_a_unit_is_at_work_once(
    ran: tuple[CaseOutcome, dict[str, Track], Path],
) -> None:
    """Those of each queue, in the order of their numbers, after they were dispatched."""
    outcome, tracks, _ = ran
    trace = outcome.got.trace
    assert trace is not None
    by_unit = defaultdict(list)
    for one in instructions(trace):
        by_unit[one.unit].append(one)
    for title, letter in (("matrix", "M"), ("vector", "V"), ("float", "F"), ("hbm", "H")):
        rows = [one.slices for name, one in tracks.items() if name.startswith(f"{title}: at work")]
        slices = sorted((facts["number"], begin, name) for row in rows for begin, _, name, facts, _ in row)
        assert [(number, name) for number, _, name in slices] == [
            (one.number, one.text) for one in by_unit[letter]
        ]
        assert all(begin > one.cycle for (_, begin, _), one in zip(slices, by_unit[letter], strict=True))


def test_stalls_are_those_of_the_counters(ran: tuple[CaseOutcome, dict[str, Track], Path]) -> None:
    """Cycles by reason, of dispatch and of the head of each queue, are exact."""
    outcome, tracks, _ = ran
    counters = outcome.got.counters.to_json()
    assert spent(tracks["dispatch"], 0) == {name: n for name, n in counters["dispatch"].items() if n}
    waits = 0
    for title in ("matrix", "vector", "float", "hbm"):
        seen = spent(tracks[f"{title}: head of the queue"], 1)
        wanted = {name: n for name, n in counters[title].items() if n and name not in ("empty", "issue")}
        if title in ("matrix", "vector"):
            assert seen == wanted
        # The float unit and the HBM unit work ahead of the head, which then waits for nothing.
        assert all(n <= wanted[name] for name, n in seen.items())
        waits += sum(seen.values())
    assert waits > 100


def test_loops_and_stages(ran: tuple[CaseOutcome, dict[str, Track], Path]) -> None:
    _, tracks, _ = ran
    passes = [
        facts["loops"]
        for _, _, name, facts, _ in sorted(
            [*tracks["retired"].slices, *tracks["retired beside it"].slices],
            key=lambda one: int(str(one[3]["number"])),
        )
        if name.startswith("V_SHFT_V") and "triangle" in str(facts["stage"])
    ]
    rows = SMALL["MLEN"]
    assert passes == [f"{row // ROWS_TOGETHER + 1} of {rows // ROWS_TOGETHER}" for row in range(rows)]
    assert rows > ROWS_TOGETHER, "there is a loop"
    stages = [name for _, _, name, _, _ in tracks["stage"].slices]
    assert "triangle: row i sees columns 0..i+0" in stages


def test_rows_of_vram_have_the_names_of_their_tensors(
    ran: tuple[CaseOutcome, dict[str, Track], Path],
) -> None:
    """As waves show them; a folder that is no run has no names."""
    outcome, _, folder = ran
    names = wave_rows.names(folder)
    placed = {one.name: one for one in outcome.workload.tensors if one.memory == "vram"}
    mlen = SMALL["MLEN"]
    for name in ("Q", "O"):
        for row in (0, SMALL["SEQ"] - 1):
            assert names[placed[name].base // mlen + row] == f"{name} row {row}"
    assert max(names) < SMALL["VRAM_ELEMS"] // mlen and len(names) < SMALL["VRAM_ELEMS"] // mlen
    assert wave_rows.names(folder / "images") == {}


def test_counters(ran: tuple[CaseOutcome, dict[str, Track], Path]) -> None:
    """The averages come to the work that the machine counted."""
    outcome, tracks, _ = ran
    hw = outcome.case.hardware
    totals = outcome.got.counters.to_json()["totals"]
    array = np.array([value for _, value in tracks["array"].values])
    assert array.min() >= 0 and array.max() <= 100
    macs = array[:-1].sum() / 100 * timeline.WINDOW * hw.blen * hw.mlen
    assert macs == pytest.approx(totals["macs"])
    beats = sum(value for _, value in tracks["bus, read"].values[:-1]) / 100 * timeline.WINDOW
    assert beats == pytest.approx(totals["read_beats"])


def test_a_long_run_is_sampled(
    ran: tuple[CaseOutcome, dict[str, Track], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of instructions are left out, evenly; stages and counters are whole."""
    outcome, whole, folder = ran
    monkeypatch.setattr(timeline_slices, "MOST_INSTRUCTIONS", 200)
    monkeypatch.setattr(timeline_slices, "BLOCK", 50)
    small = perfetto_tracks.read(timeline.write(folder, outcome.case.hardware))
    numbers = {facts["number"] for _, _, _, facts, _ in small["retired"].slices}
    assert outcome.got.trace is not None
    every = -(-len(outcome.got.trace) // timeline_slices.MOST_INSTRUCTIONS)
    assert every > 1 and {int(str(number)) // timeline_slices.BLOCK % every for number in numbers} == {0}
    spans = [(begin, end) for begin, end, *_ in small["sampled"].slices]
    dispatch = [(begin, end) for begin, end, *_ in small["dispatch"].slices]
    assert sum(end - begin for begin, end in dispatch) == sum(end - begin for begin, end in spans)
    assert all(any(low <= begin < end <= high for low, high in spans) for begin, end in dispatch)
    assert len(spans) == len(range(0, len(outcome.got.trace), every * timeline_slices.BLOCK))
    assert "sampled" not in whole
    assert small["array"].values == whole["array"].values
    assert small["stage"].slices == whole["stage"].slices


def test_a_body_that_sets_its_counter_ends_the_loop() -> None:
    """The loop is closed where the way on is to the next pc, whatever its start said."""
    text = "C_LOOP_START gp1, 3\nC_LOOP_START gp2, 8\nS_ADDI_INT gp2, gp0, 1\nC_LOOP_END gp2\n"
    words = assemble(f"{text}C_LOOP_END gp1\nC_BREAK\n")
    ran = [0, *[1, 2, 3, 4] * 3, 5]
    trace = np.array([(pc, words[pc], cycle) for cycle, pc in enumerate(ran)], np.uint32)
    loops = [one.loops for one in instructions(trace)]
    assert loops[2:5] == [("1 of 3", "1 of 8"), ("1 of 3", "1 of 8"), ("1 of 3",)]
    assert loops[-2:] == [("3 of 3",), ()]
