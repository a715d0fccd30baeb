"""Cycles of one pass by operator, beside what each operator needs of every resource.

``python -m scripts.pass_cycles [ROWS=16] [POSITION=0] [MODEL=file]`` runs a pass of SmolLM2-135M on the RTL
at MLEN 64, BLEN 16 with a trace of retired instructions. A cycle counts for the operator whose instruction
was dispatched last, so waiting for a full queue counts for whoever fills it.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.instructions import BY_OPCODE
from plena_ref.kernels.language_model.model_memory import ModelMemory
from plena_ref.kernels.language_model.model_pass import ModelPass, PassShape
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

#: Comments that begin an operator: products of a matrix, a store to the cache, and all others by first word.
_PRODUCTS = re.compile(r"; (?:layer \d+|output head): (\w+), outputs \d+ and up")
_STORE = re.compile(r"; layer \d+: .* to the cache")
_OTHER = re.compile(r"; (?:embedding|final norm|layer \d+ [^:]*): (\w+)")


def operator_of_word(listing: str) -> list[str]:
    """The operator that each word of a program belongs to, by the comments of its listing."""
    name, found = "start", []
    for line in listing.splitlines():
        text = line.strip()
        if not text.startswith(";"):
            found.append(name)
        elif match := _PRODUCTS.match(text):
            name = f"products: {match[1]}"
        elif _STORE.match(text):
            name = "cache store"
        elif match := _OTHER.match(text):
            name = match[1]
    return found


def by_operator(trace: NDArray[np.uint32], owner: list[str], hw: Hardware) -> dict[str, NDArray[np.float64]]:
    """For each operator: cycles, and what array, DMA, vector unit and dispatch need at least."""
    beats = (hw.tile_elems + hw.tile_elems // hw.mx_block) // 64
    spent: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(5))
    cycles = np.diff(trace[:, 2].astype(np.int64), prepend=0)
    units = {opcode: entry.mnemonic for opcode, entry in BY_OPCODE.items()}
    for (pc, word, _), taken in zip(trace.tolist(), cycles.tolist(), strict=True):
        name = units[word & 0x3F]
        product = name[0] == "M" and not name.endswith("_WO")
        needs = (taken, hw.blen * product, beats * (name == "H_PREFETCH_M"), name[0] == "V", 1 / 2)
        spent[owner[pc]] += needs
    return spent


@dataclass(frozen=True)
class TracedPass:
    """A pass of the real model that has run.

    Attributes:
        result: what the RTL left, with the trace.
        owner: the operator of each word.
        hw: the machine.
        bound: cycles that its weights take at least.
    """

    result: JobResult
    owner: list[str]
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
    ModelPass(memory, PassShape(rows, position)).emit(program)
    words, listing = program.finish()
    with Session(hw, "verilator") as session:
        result = session.run(Job(words, images, memory.limit, trace=True))
    if result.status != "stopped":
        raise simulate.SimulationError(f"the pass ended with {result.status} {result.cause}")
    bound = memory.weights.count * memory.weights.tile_bytes // 64
    return TracedPass(result, operator_of_word(listing), hw, bound)


def main(arguments: list[str]) -> int:
    """Run the pass and print the table."""
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
    table = by_operator(done.result.trace, done.owner, done.hw)
    total = np.sum(list(table.values()), axis=0)
    ratio = done.result.cycles / done.bound
    print(f"{rows} tokens at position {position}: {done.result.cycles:,} cycles, {ratio:.3f} of the bound")
    print("| operator | cycles | array | DMA | vector | dispatch |\n|---|---|---|---|---|---|")
    for name, values in [*sorted(table.items(), key=lambda item: -item[1][0]), ("all", total)]:
        print(f"| {name} | " + " | ".join(f"{value:,.0f}" for value in values) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
