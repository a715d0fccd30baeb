"""The contract between operators of one program (plena_ref/kernels/operator.py), for every operator.

Before and between operators every piece of shared state is poisoned, and nothing changes; after an operator
nothing is held, open or accumulated.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plena_ref.kernels.linear import LinearKernel
from plena_ref.kernels.operator import Operator
from plena_ref.kernels.program import GP0, Program
from plena_ref.kernels.residual_add import ResidualAddKernel
from plena_ref.kernels.sequence import OperatorSequence
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.verdict.accuracy import result_values
from plena_ref.workloads.build import build, place
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.families import KERNELS
from tests.kernels.checking import run
from tests.kernels.poison import poison

HARDWARE = Hardware(16, 4, 8, vram_elems=1 << 16, hbm_bytes=1 << 18, msram_tiles=16)
ATTENTION = {"batch": 2, "kv_seq": 37, "heads": 4, "kv_heads": 2, "head_dim": 24, "causal": True}
WINDOW = {"window": 20, "sinks": True}

#: A problem for every kernel, small and ragged.
PROBLEMS: dict[str, dict[str, object]] = {
    "attention": {**ATTENTION, **WINDOW, "seq": 20},
    "decode_attention": {**ATTENTION, **WINDOW, "seq": 1},
    "decode_attention_one_row": {**ATTENTION, **WINDOW, "seq": 1},
    "decode_attention_blocks": {**ATTENTION, **WINDOW, "seq": 1},
    "cached_attention": {**ATTENTION, **WINDOW, "seq": 6},
    "encoder_layer": {"model": "reduced", "batch": 2, "seq": 3},
    "decoder_layer": {"model": "reduced", "batch": 2, "seq": 3, "past": 20},
    "top_k": {"batch": 2, "seq": 1, "features": 300, "count": 3},
    "moe_router": {"batch": 2, "seq": 2, "features": 40},
    "embedding": {"batch": 2, "seq": 5, "features": 40, "vocabulary": 50},
    "packed_attention": {**ATTENTION, "seq": 20, "head_dim": 8, "window": 20},
    "plain_attention": {**ATTENTION, "seq": 20},
    "plain_attention_element_offsets": {**ATTENTION, "seq": 20},
    "output_head": {"batch": 2, "seq": 5, "features": 44, "vocabulary": 92, "last": True},
    "linear": {"batch": 2, "seq": 5, "in_features": 70, "out_features": 44},
    "rms_norm": {"batch": 2, "seq": 5, "features": 300},
    "layer_norm": {"batch": 2, "seq": 5, "features": 300},
    "residual_add": {"batch": 2, "seq": 5, "features": 40},
    "norm_linear_residual": {"batch": 2, "seq": 5, "features": 44},
    "rope": {"batch": 2, "seq": 5, "heads": 3, "head_dim": 24},
    "swiglu": {"batch": 2, "seq": 5, "features": 40},
    "gelu": {"batch": 2, "seq": 5, "features": 40},
    "gelu_tanh": {"batch": 2, "seq": 5, "features": 40},
}


def case_of(kernel: str) -> Case:
    """A case of each kernel."""
    return make_case(kernel, hardware=HARDWARE, kernel=kernel, sigma=1.0, **PROBLEMS[kernel])


def operators_of(operator: Operator) -> tuple[Operator, ...]:
    """The operators of a program, one by one."""
    return operator.operators if isinstance(operator, OperatorSequence) else (operator,)


def poisoned(case: Case, probe: bool = False) -> tuple[Machine, np.ndarray]:
    """Run a case with poison before every operator, and with the accumulators written out after the last.

    Returns:
        The machine, and the result batch x seq x heads x columns.
    """
    workload, (placed, _) = build(case), place(case)
    # What an operator writes is known once it has written its program.
    placed.operator.emit(Program(case.hardware))
    operators = operators_of(placed.operator)
    scratch = [region for operator in operators for region in operator.scratch()]
    p = Program(case.hardware, "poisoned")
    for operator in operators:
        poison(p, case.hardware, scratch)
        operator.emit(p)
    if probe:
        write_out(p, case.hardware)
    words, _ = p.finish()
    machine = run(replace(workload, words=words))
    return machine, result_values(workload, machine.images.vram)


#: Where the accumulators are written: the last rows of VRAM, which no case of this file reaches.
PROBE_ROWS = 64


def write_out(p: Program, hw: Hardware) -> None:
    """All four accumulators into the last rows of VRAM."""
    with p.gp("rows of the probe") as row:
        p.load_constant(row, hw.vram_elems - PROBE_ROWS * hw.mlen)
        p.M_MM_WO(row, GP0, 0)
        p.add(row, row, 8 * hw.mlen)
        p.M_MV_WO(row, 0)
        p.add(row, row, 8 * hw.mlen)
        p.M_BMM_WO(row, 0)
        p.add(row, row, 40 * hw.mlen)
        p.M_BMV_WO(row, 0)


def test_every_kernel_is_here() -> None:
    assert set(PROBLEMS) == set(KERNELS), "each KERNEL needs a problem in PROBLEMS"


@pytest.mark.parametrize("kernel", PROBLEMS)
def test_nothing_but_its_operands_reaches_an_operator(kernel: str) -> None:
    case = case_of(kernel)
    workload = build(case)
    clean = result_values(workload, run(workload).images.vram)
    _, got = poisoned(case)
    np.testing.assert_array_equal(got, clean)


@pytest.mark.parametrize("kernel", PROBLEMS)
def test_an_operator_leaves_nothing_accumulated(kernel: str) -> None:
    case = case_of(kernel)
    machine, _ = poisoned(case, probe=True)
    probe = machine.images.vram.reshape(-1, HARDWARE.mlen)[-PROBE_ROWS:]
    written = machine.written.vram.reshape(-1, HARDWARE.mlen)[-PROBE_ROWS:]
    assert written.any(axis=1).sum() == HARDWARE.blen + 1 + (HARDWARE.mlen + 1) * HARDWARE.lanes
    assert (probe[written] == 0).all()


@pytest.mark.parametrize("kernel", PROBLEMS)
def test_an_operator_holds_no_register_and_no_loop(kernel: str) -> None:
    """`finish` refuses both; an operator that is written twice finds as many registers as before."""
    placed, _ = place(case_of(kernel))
    p = Program(HARDWARE)
    placed.operator.emit(p)
    first = len(p)
    placed.operator.emit(p)
    assert len(p) == 2 * first
    p.finish()


# The tests above fail where the contract is broken.


def test_an_operator_that_counts_on_a_register_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """X lies at 0, and so does every register after a start: alone, the program is right."""
    emit = ResidualAddKernel.emit

    class Careless(Program):
        """Leaves out what a fresh register holds already."""

        def load_constant(self, register: object, value: int, comment: str = "") -> None:
            if value:
                super().load_constant(register, value, comment)

    def careless(kernel: ResidualAddKernel, p: Program) -> None:
        p.__class__ = Careless
        emit(kernel, p)
        p.__class__ = Program

    case = case_of("residual_add")
    clean = run(build(case)).images.vram
    monkeypatch.setattr(ResidualAddKernel, "emit", careless)
    np.testing.assert_array_equal(run(build(case)).images.vram, clean)
    with pytest.raises(AssertionError):
        test_nothing_but_its_operands_reaches_an_operator("residual_add")


def test_an_operator_that_leaves_a_product_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One product after the last write-out: the layer itself is right, but not the next one."""
    emit = LinearKernel.emit

    def forgetful(kernel: LinearKernel, p: Program) -> None:
        emit(kernel, p)
        with p.gp("X") as x, p.gp("W") as w:
            p.point(x, kernel.x.parent)
            p.load_constant(w, 0)
            p.M_MM(w, x)

    monkeypatch.setattr(LinearKernel, "emit", forgetful)
    test_nothing_but_its_operands_reaches_an_operator("linear")
    with pytest.raises(AssertionError):
        test_an_operator_leaves_nothing_accumulated("linear")


def test_an_operator_that_counts_on_scale_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layer after another one of its size would find its SCALE set."""
    monkeypatch.setattr(LinearKernel, "_set_scale", lambda kernel: None)
    with pytest.raises(AssertionError):
        test_nothing_but_its_operands_reaches_an_operator("norm_linear_residual")
