"""Cycles of one pass by operator and by layer, beside what each needs of every resource.

``python -m scripts.pass_cycles [ROWS=16] [POSITION=0] [MODEL=file]`` runs a pass of SmolLM2-135M on the RTL
at MLEN 64, BLEN 16 with a trace of retired instructions. A cycle counts for the operator whose instruction
was dispatched last, so waiting for a full queue counts for whoever fills it.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.instructions import BY_OPCODE
from plena_ref.kernels.language_model.decoder_layers import PassShape
from plena_ref.kernels.language_model.layer_step import LayerStep
from plena_ref.kernels.language_model.model_memory import ModelMemory
from plena_ref.kernels.language_model.model_pass import ModelPass
from plena_ref.kernels.program import Program
from plena_ref.machine.hardware import Hardware
from plena_ref.models.checkpoint import ModelFileError
from plena_ref.models.load import load
from plena_ref.models.staging import stage_pass
from tb.bench import command, options
from tb.bench.job import Job, JobResult
from tb.bench.session import Session
from tb.chat.machines import first_images
from tb.chat.settings import CHUNK, HBM_BYTES, POSITIONS
from tb.chat.weights_cache import weights_image
from tb.engine import simulate

#: What a step is called in the table; products of a matrix have its name, all others their own.
NAMES = {
    "attention norm": "RMSNorm",
    "mlp norm": "RMSNorm",
    "final norm": "RMSNorm",
    "rope": "RoPE",
    "k cache": "stores to the caches",
    "v cache": "stores to the caches",
    "attention": "attention",
    "attention residual": "residual adds",
    "mlp residual": "residual adds",
    "activation": "SwiGLU",
    "embedding": "embedding",
}
#: What comes before the first step.
START = "start, first tiles"
RESOURCES = ("cycles", "array", "DMA", "vector", "dispatch")

#: Layer and operator of an instruction; None for what belongs to no layer.
Owner = tuple[int | None, str]
Needs = dict[Owner, NDArray[np.float64]]


def owner_of_word(steps: Sequence[LayerStep], marks: Sequence[tuple[int, str]], words: int) -> list[Owner]:
    """Layer and operator of each word of a program.

    Args:
        steps, marks: of the program, one of each for every step, and a mark at the end.
        words: of the program.
    """
    owners: list[Owner] = [(None, START)] * marks[0][0]
    ends = [pc for pc, _ in marks[1:]]
    for step, (first, _), end in zip(steps, marks, ends, strict=False):
        owners += [(step.layer, NAMES.get(step.name, f"products: {step.name}"))] * (end - first)
    return owners + [owners[-1]] * (words - len(owners))


def by_owner(trace: NDArray[np.uint32], owner: Sequence[Owner], hw: Hardware) -> Needs:
    """By operator of each layer: cycles, and what array, DMA, vector unit and dispatch need at least."""
    beats = (hw.tile_elems + hw.tile_elems // hw.mx_block) // 64
    spent: Needs = defaultdict(lambda: np.zeros(len(RESOURCES)))
    cycles = np.diff(trace[:, 2].astype(np.int64), prepend=0)
    units = {opcode: entry.mnemonic for opcode, entry in BY_OPCODE.items()}
    for (pc, word, _), taken in zip(trace.tolist(), cycles.tolist(), strict=True):
        name = units[word & 0x3F]
        product = name[0] == "M" and not name.endswith("_WO")
        needs = (taken, hw.blen * product, beats * (name == "H_PREFETCH_M"), name[0] == "V", 1 / 2)
        spent[owner[pc]] += needs
    return spent


def joined(spent: Needs, key: Callable[[Owner], str]) -> dict[str, NDArray[np.float64]]:
    """What several owners need together, by what `key` calls them."""
    found: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(RESOURCES)))
    for owner, needs in spent.items():
        found[key(owner)] += needs
    return found


def table(title: str, rows: dict[str, NDArray[np.float64]]) -> str:
    """Markdown: cycles beside the bound, the most that a row needs of one resource, and all of these."""
    heads = (title, "cycles", "bound", *RESOURCES[1:])
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, needs in rows.items():
        values = (needs[0], needs[1:].max(), *needs[1:])
        lines.append(f"| {name} | " + " | ".join(f"{value:,.0f}" for value in values) + " |")
    return "\n".join(lines)


@dataclass(frozen=True)
class TracedPass:
    """A pass of the real model that has run.

    Attributes:
        result: what the RTL left, with the trace.
        owner: layer and operator of each word.
        hw: the machine.
        bound: cycles that its weights take at least.
    """

    result: JobResult
    owner: list[Owner]
    hw: Hardware
    bound: int


def run_pass(rows: int, position: int, model: Path | None = None) -> TracedPass:
    """Run a pass of arbitrary tokens at MLEN 64, BLEN 16; what they are changes no cycle.

    Raises:
        ModelFileError: the model cannot be had.
        SimulationError: the RTL cannot run, or did not stop normally.
    """
    checkpoint, hw = load(model), Hardware(hbm_bytes=HBM_BYTES)
    memory = ModelMemory(hw, checkpoint.config, POSITIONS, CHUNK)
    images = first_images(memory, checkpoint.weights, weights_image(memory, checkpoint)[0])
    stage_pass(memory, list(range(rows)), position, images)
    program = Program(hw)
    whole = ModelPass(memory, PassShape(rows, position))
    whole.emit(program)
    words, _ = program.finish()
    with Session(hw, "verilator") as session:
        result = session.run(Job(words, images, memory.limit, trace=True))
    if result.status != "stopped":
        raise simulate.SimulationError(f"the pass ended with {result.status} {result.cause}")
    bound = memory.weights.count * memory.weights.tile_bytes // 64
    return TracedPass(result, owner_of_word(whole.layers.steps, program.marks, len(words)), hw, bound)


def main(arguments: list[str]) -> int:
    """Run the pass and print the tables."""
    given = options.parse(arguments)
    rows = options.take_integer(given, "ROWS", CHUNK, 1, CHUNK)
    position = options.take_integer(given, "POSITION", 0, 0, POSITIONS - rows)
    model = given.pop("MODEL", None)
    options.refuse_unknown(given, ("ROWS", "POSITION", "MODEL"))
    try:
        done = run_pass(rows, position, None if model is None else Path(model))
    except (ModelFileError, simulate.SimulationError) as error:
        return options.fail(error)
    assert done.result.trace is not None
    spent = by_owner(done.result.trace, done.owner, done.hw)
    ratio = done.result.cycles / done.bound
    print(f"{rows} tokens at position {position}: {done.result.cycles:,} cycles, {ratio:.3f} of the bound")
    operators = joined(spent, lambda owner: owner[1])
    total = {"all": np.sum(list(spent.values()), axis=0)}
    ordered = dict(sorted(operators.items(), key=lambda item: -item[1][0]))
    print(table("operator", ordered | total), end="\n\n")
    layers = joined(spent, lambda owner: "outside" if owner[0] is None else f"layer {owner[0]}")
    print(table("layer", layers))
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
