"""A case as the model of its roundings sees it: data and sizes, no program and no layout."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from plena_ref.analysis.attention_problem import AttentionProblem, Schedule
from plena_ref.analysis.attention_roundings import AttentionRoundings
from plena_ref.analysis.linear_roundings import LinearRoundings
from plena_ref.analysis.roundings import Roundings
from plena_ref.analysis.schedule import SCHEDULES, Sizes, head_columns
from plena_ref.golden.mxfp8 import quantised_heads, quantised_rows
from plena_ref.machine.numerics import bf16_to_f32
from plena_ref.workloads.cases import Case, draw_inputs, draw_linear


def roundings_of(case: Case) -> Roundings:
    """The model of a case's roundings, on the case's data."""
    return _linear(case) if case.linear else _attention(case)


def _linear(case: Case) -> LinearRoundings:
    x, w = (bf16_to_f32(bits).astype(np.float64) for bits in draw_linear(case))
    return LinearRoundings(x.reshape(case.batch, case.seq, -1), quantised_rows(w, case.hardware.mx_block))


def sizes_of(case: Case) -> Sizes:
    """The sizes of an attention case."""
    return Sizes(**{field.name: getattr(case, field.name) for field in fields(Sizes)})


def schedule_of(case: Case) -> Schedule:
    """How the kernel of an attention case takes its keys together."""
    return SCHEDULES[case.kernel](case.hardware, sizes_of(case))


def _attention(case: Case) -> AttentionRoundings:
    inputs, hw = draw_inputs(case), case.hardware
    columns = head_columns(case.kernel, hw, case.head_dim)
    k, v = (quantised_heads(tensor, hw.mx_block, columns) for tensor in (inputs.k, inputs.v))
    problem = AttentionProblem(inputs.q, k, v, case.causal, case.window, inputs.sinks)
    return AttentionRoundings(problem, schedule_of(case))
