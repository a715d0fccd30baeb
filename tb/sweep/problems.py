"""What the sweep asks of a cell's problem, whichever family it belongs to: its size, and how it is typed."""

from __future__ import annotations

from plena_ref.workloads.case import Case
from plena_ref.workloads.decoder_layer import DecoderLayer
from plena_ref.workloads.encoder_layer import EncoderProblem
from plena_ref.workloads.registry import CASES

Layer = DecoderLayer | EncoderProblem
#: The registered case that a cell of a kernel is an override of.
_BASES = {"decoder_layer": "smolvlm2_layer", "encoder_layer": "smolvlm2_vision_layer"}


def base(case: Case) -> Case:
    """The registered case that `make sim` starts from to run this one."""
    return CASES[_BASES.get(case.kernel, "mha_batch2")]


def heads(case: Case) -> int:
    """Query heads."""
    problem = case.problem
    return problem.config.heads if isinstance(problem, Layer) else problem.heads


def keys(case: Case) -> int:
    """Keys of each query, masked ones included."""
    problem = case.problem
    return problem.seq + getattr(problem, "past", 0) if isinstance(problem, Layer) else problem.kv_seq


def products(case: Case) -> int:
    """Multiply-accumulates of all products, masked ones included."""
    problem = case.problem
    if not isinstance(problem, Layer):
        return _attention(case, problem.head_dim)
    config = problem.config
    attended = config.heads * config.head_dim
    stored = getattr(config, "kv_heads", config.heads) * config.head_dim
    matrices = 3 if isinstance(problem, DecoderLayer) else 2
    weights = config.hidden * (2 * attended + 2 * stored + matrices * config.intermediate)
    return problem.batch * problem.seq * weights + _attention(case, config.head_dim)


def _attention(case: Case, head_dim: int) -> int:
    """Those of attention's two products."""
    problem = case.problem
    return 2 * problem.batch * heads(case) * problem.seq * keys(case) * head_dim
