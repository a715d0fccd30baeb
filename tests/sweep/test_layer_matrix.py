"""The matrix of layers: every combination once at true sizes, what is refused, and stages that are named."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from plena_ref.kernels.gelu import GeluKernel
from plena_ref.kernels.program import GP0
from plena_ref.kernels.swiglu import SwigluKernel
from plena_ref.machine.reference import Machine
from plena_ref.workloads.build import build, place
from plena_ref.workloads.registry import CASES
from tb.bench.job import JobResult
from tb.sweep import choice, command, make_sim, report, seconds
from tb.sweep import matrix as matrices
from tb.sweep.cell import CellResult, judge
from tb.sweep.declaration import LAYER_AXES
from tb.sweep.declared_values import MatrixError
from tb.sweep.store import Store
from tests.refusals import refusals

TEXT = matrices.SETS["smolvlm2"].read_text()
MATRIX = matrices.parse(TEXT)
LAYERS = ("prefill", "cached", "vision")
#: The same cells of the reduced models.
REDUCED = matrices.parse(TEXT.replace('model = "smolvlm2"', 'model = "reduced"'))


def test_the_matrix_holds_every_combination_once() -> None:
    wanted = {
        (mlen, blen, batch, seq, layer)
        for mlen, blen, batch, layer in product((16, 32, 64), (4, 8, 16, 32, 64), (1, 2), LAYERS)
        for seq in (4, 64, mlen + 1)
    }
    found = [tuple(item.values[axis] for axis in LAYER_AXES) for item in (*MATRIX.cells, *MATRIX.illegal)]
    assert set(found) == wanted and len(found) == len(wanted)
    assert {item.rule for item in MATRIX.illegal} == {"BLEN must not exceed MLEN"}


def test_a_cell_is_a_layer_of_true_size() -> None:
    for cell in MATRIX.cells:
        problem, values = cell.case.problem, cell.values
        assert (problem.batch, problem.seq) == (values["batch"], values["seq"])
        assert problem.model == "smolvlm2"
        vision = values["layer"] == "vision"
        assert cell.case.kernel == ("encoder_layer" if vision else "decoder_layer")
        assert vision or problem.past == (37 if values["layer"] == "cached" else 0)
        hidden, heads, intermediate = (768, 12, 3072) if vision else (576, 9, 1536)
        config = problem.config
        assert (config.hidden, config.heads, config.intermediate) == (hidden, heads, intermediate)
    assert len({cell.case.seed for cell in MATRIX.cells}) == len(MATRIX.cells)
    assert MATRIX.by_name["mlen64-blen16-batch1-seq4-prefill"].work == 4 * (3_538_944 + 2 * 9 * 4 * 64)
    assert CASES["smolvlm2_layer"].hardware == next(
        cell.case.hardware for cell in MATRIX.cells if cell.machine == (64, 16)
    )


def test_the_largest_cells_fit_their_machine() -> None:
    for layer in LAYERS:
        for machine in {cell.machine for cell in MATRIX.cells}:
            cells = [c for c in MATRIX.cells if c.machine == machine and c.values["layer"] == layer]
            place(max(cells, key=lambda cell: cell.work).case)


def test_the_command_of_a_cell_runs_its_case() -> None:
    for cell in MATRIX.cells:
        given = dict(word.split("=") for word in make_sim.command(cell.case).split()[2:])
        case = CASES[given.pop("TEST")].override(**given)
        alike = {"name": cell.name, "tolerance": cell.case.tolerance, "simulators": cell.case.simulators}
        assert replace(case, **alike) == cell.case


@pytest.mark.parametrize(("old", "new", "message"), refusals("layer_matrix"))
def test_a_mistake_is_named(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(MatrixError, match=re.escape(message)):
        matrices.parse(TEXT.replace(old, new, 1))


def test_a_set_is_chosen_by_its_name() -> None:
    chosen = choice.parse(["SET=smolvlm2", "MLEN=16", "LAYER=vision,cached"])
    assert chosen.reports == "smolvlm2" and chosen.mutants == ()
    assert {cell.values["layer"] for cell in chosen.slice} == {"vision", "cached"}
    assert choice.parse(["SET=smolvlm2"]).mutants == ()
    assert choice.parse(["SET=attention"]) == choice.parse([])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["SET=small"], "SET=small is unknown; there are attention, smolvlm2"),
        (["SET=smolvlm2", "MATRIX=a.toml"], "SET names a matrix file of the project; MATRIX is another one"),
        (
            ["SET=smolvlm2", "MASK=full"],
            "MASK= is unknown; there are MLEN, BLEN, BATCH, SEQ, LAYER, SET, LIMIT",
        ),
        (["SET=smolvlm2", "LAYER=text"], "no legal cell has LAYER=text; there are prefill, cached, vision"),
        (["SET=smolvlm2", "MUTANTS=1"], "MUTANTS=1 lies outside 0..0"),
    ],
)
def test_a_wrong_option_says_why(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_the_report_has_layers_and_no_mutants(tmp_path: Path) -> None:
    content = report.collect(MATRIX, Store(tmp_path / "results", "key"), "smolvlm2.toml")
    assert content["axes"] == list(LAYER_AXES) and content["mutants"] == []
    cell = next(c for c in content["cells"] if c["name"] == "mlen16-blen4-batch2-seq17-cached")
    assert (cell["layer"], cell["heads"], cell["kv_seq"]) == ("cached", 9, 54)
    report.write(content, tmp_path / "smolvlm2", {})
    assert (tmp_path / "smolvlm2" / "report.html").exists()


def test_the_formula_orders_cells_by_their_work() -> None:
    names = ("mlen64-blen64-batch1-seq4-prefill", "mlen64-blen16-batch1-seq64-prefill")
    few, many = (seconds.formula(MATRIX.by_name[name]) for name in names)
    narrow = seconds.formula(MATRIX.by_name["mlen16-blen4-batch2-seq64-vision"])
    assert few < many < narrow


def judged(name: str) -> CellResult:
    """A cell of the reduced models, the reference machine in place of the RTL."""
    workload = build(REDUCED.by_name[name].case)
    machine = Machine(workload.hardware, workload.images.copy(), workload.limit)
    end = machine.run(workload.words)
    values = {value: getattr(end, value) for value in ("status", "cause", "pc", "instructions", "registers")}
    got = SimpleNamespace(
        **values, images=machine.images, protocol_errors=0, cycles=1, seconds=1.0, counters=None
    )
    return judge(workload, cast(JobResult, got))


@pytest.mark.parametrize("layer", LAYERS)
def test_a_cell_is_judged_end_to_end_and_stage_by_stage(layer: str) -> None:
    result = judged(f"mlen16-blen16-batch2-seq4-{layer}")
    assert result.passed, result.reasons
    assert 0 < result.max_error <= 2 * result.predicted


@pytest.mark.parametrize(("layer", "kernel"), [("cached", SwigluKernel), ("vision", GeluKernel)])
def test_a_stage_left_out_is_named(layer: str, kernel: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both machines run the faulty program: bits agree, and the stages do not."""
    monkeypatch.setattr(kernel, "emit", lambda _kernel, p: p.C_SET_STRIDE_REG(GP0))
    result = judged(f"mlen16-blen16-batch2-seq4-{layer}")
    assert result.bit_exact and not result.passed
    assert result.reasons[0].startswith("layer 0, activation (")
