"""What the sweep asks of a cell's problem, whichever family it belongs to: its size, and how it is typed."""

from __future__ import annotations

from plena_ref.configs.models import DecoderConfig
from plena_ref.workloads.attention import Attention, attention_of
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


def problem_of(case: Case) -> Layer | Attention:
    """What a cell computes.

    Raises:
        TypeError: no cell is of that family.
    """
    return case.problem if isinstance(case.problem, Layer) else attention_of(case)


def heads(case: Case) -> int:
    """Query heads."""
    problem = problem_of(case)
    return problem.config.heads if isinstance(problem, Layer) else problem.heads


def rows(case: Case) -> int:
    """Rows of the result, of all batches."""
    problem = problem_of(case)
    return problem.batch * problem.seq


def keys(case: Case) -> int:
    """Keys of each query, masked ones included."""
    problem = problem_of(case)
    if isinstance(problem, Attention):
        return problem.kv_seq
    return problem.seq + problem.past if isinstance(problem, DecoderLayer) else problem.seq


def products(case: Case) -> int:
    """Multiply-accumulates of all products, masked ones included."""
    problem = problem_of(case)
    if isinstance(problem, Attention):
        return _attention(case, problem.head_dim)
    config = problem.config
    attended = config.heads * config.head_dim
    stored = (config.kv_heads if isinstance(config, DecoderConfig) else config.heads) * config.head_dim
    matrices = 3 if isinstance(problem, DecoderLayer) else 2
    weights = config.hidden * (2 * attended + 2 * stored + matrices * config.intermediate)
    return rows(case) * weights + _attention(case, config.head_dim)


def _attention(case: Case, head_dim: int) -> int:
    """Those of attention's two products."""
    return 2 * rows(case) * heads(case) * keys(case) * head_dim
