"""The interface for notebooks: examples, tensors on both machines, maps of errors, stops at instructions."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest

import plena_ref
from plena_ref import notebook
from plena_ref.isa.loops import executions
from plena_ref.machine.reference import InstructionLimitError, Machine
from plena_ref.machine.reference.step import Step
from tb.engine import simulate

PAGE = Path(__file__).parents[1] / "docs" / "notebook.md"
SMALL = {"mlen": 8, "blen": 4, "batch": 1, "seq": 3, "head_dim": 8, "vram_elems": 4096, "msram_tiles": 8}


def test_examples_of_the_docstrings() -> None:
    found = doctest.testmod(notebook, extraglobs={"plena_ref": plena_ref})
    assert found.failed == 0 and found.attempted > 10


def test_examples_of_the_page() -> None:
    found = doctest.testfile(str(PAGE), module_relative=False)
    assert found.failed == 0 and found.attempted > 8


def test_both_machines_leave_the_same() -> None:
    simulate.require("icarus")
    case = plena_ref.case("mha_ragged", **SMALL)
    rtl, reference = case.run("icarus", latency=20), case.run()
    assert (rtl.status, rtl.instructions) == (reference.status, reference.instructions)
    assert rtl.cycles is not None and reference.cycles is None
    for name in case.names:
        assert np.array_equal(rtl.tensor(name), reference.tensor(name), equal_nan=True)
    assert "on icarus" in repr(rtl) and rtl.accurate


def test_a_bench_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "_CHECKOUT", "nowhere.at_all")
    with pytest.raises(notebook.BenchMissing, match="not installed"):
        plena_ref.case("mha_ragged", **SMALL).run("verilator")


def test_a_wrong_result_is_seen() -> None:
    run = plena_ref.case("mha_ragged", **SMALL).run()
    run.images.vram[:] = 0
    assert not run.accurate and "not accurate" in repr(run) and float(abs(run.error).max()) > 0.1


def test_a_map_of_errors() -> None:
    """Rows down, columns across, the very numbers of the error."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    run = plena_ref.case("mha_ragged", seq=6).run()
    axes = run.error_map(batch=2)
    (image,) = axes.get_images()
    assert np.array_equal(image.get_array(), abs(run.error[2, :, 0]))
    assert axes.get_title() == "|error|, batch 2, head 0"
    assert run.error_map(axes=axes) is axes


def test_a_stop_at_an_instruction() -> None:
    """The state is that of a machine that ran just so many instructions."""
    case = plena_ref.case("mha_ragged", seq=6)
    words, counts = case.work.words, executions(case.work.words)
    pc = next(pc for pc, count in enumerate(counts) if count > 2)
    paused = case.step_to(pc, visit=2)
    order: list[int] = []

    def noting(at: int, step: Step) -> Step:
        def one() -> int | None:
            order.append(at)
            return step()

        return one

    def fresh() -> Machine:
        return Machine(case.work.hardware, case.work.images.copy(), case.work.limit)

    fresh().run(words, watch=noting)
    second = [number for number, at in enumerate(order) if at == pc][1]
    machine = fresh()
    with pytest.raises(InstructionLimitError):
        machine.run(words, max_instructions=second)
    assert machine.registers == paused.registers
    assert np.array_equal(machine.images.vram, paused.images.vram)
    assert paused.pc == pc and paused.instruction in repr(paused)
    again = case.step_to(pc, visit=3)
    assert again.registers != paused.registers
    assert paused.tensor("Q").shape == case.tensor("Q").shape
    with pytest.raises(ValueError, match=f"runs {counts[pc]} times, not 9999"):
        case.step_to(pc, visit=9999)


def test_names_that_do_not_exist() -> None:
    with pytest.raises(KeyError, match="no case 'nothing'"):
        plena_ref.case("nothing")
    with pytest.raises(KeyError, match="there is no tensor 'R'; there are Q, O"):
        plena_ref.case("mha_ragged").tensor("R")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        plena_ref.nothing  # noqa: B018
