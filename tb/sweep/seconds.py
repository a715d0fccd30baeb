"""How long cells, mutants and models take: as measured here before, or by a formula."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from plena_ref.workloads.attention import Attention, attention_of
from tb.mutants.table import Mutant
from tb.sweep import litter, problems
from tb.sweep.matrix import Cell

#: Of a model, and of a mutant, which builds one and runs a case.
MODEL_SECONDS = 50.0
MUTANT_SECONDS = 60.0
#: Fitted to the processor time of 250 cells (root mean square error 30%): seconds of a cell, of a row of
#: queries by a tile of keys, of a block of scores by a tile of the head, and of a million products.
_CELL, _ROW, _BLOCK, _WORK = 0.06, 5.0e-5, 1.3e-4, 0.024
#: Of a layer: of a cell, of a million products, and of an instruction of the array. Ten cells took twice as
#: long on a host with six processes for each core.
_LAYER, _LAYER_WORK, _PRODUCT = 5.0, 0.03, 4.0e-5


class Seconds:
    """Measured seconds by name, kept in a file from run to run.

    Args:
        file: where they are kept; what cannot be read there counts as nothing.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._measured = _read(file)

    def of_cell(self, cell: Cell) -> float:
        """Seconds of one processor for a cell, without its model."""
        return self._measured.get(cell.name, formula(cell))

    def of_mutant(self, mutant: Mutant) -> float:
        """Seconds for a mutant, with its model."""
        return self._measured.get(mutant.name, MUTANT_SECONDS)

    def of_model(self, machine: str) -> float:
        """Seconds for the model of a machine, "mlen/blen"."""
        return self._measured.get(f"model {machine}", MODEL_SECONDS)

    def add(self, measured: Mapping[str, float]) -> None:
        """Take new measurements in, and keep them in the file; not being able to is no failure."""
        self._measured = {**_read(self.file), **self._measured, **measured}
        with contextlib.suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            scratch = self.file.with_name(f"{litter.prefix()}{self.file.name}")
            scratch.write_text(json.dumps(self._measured, sort_keys=True))
            os.replace(scratch, self.file)


def formula(cell: Cell) -> float:
    """Seconds of a cell that was never measured."""
    return _of_attention(cell) if isinstance(cell.case.problem, Attention) else _of_layer(cell)


def _of_attention(cell: Cell) -> float:
    case, hardware = attention_of(cell.case), cell.case.hardware
    heads = case.batch * case.heads
    key_tiles = -(-case.kv_seq // hardware.mlen)
    blocks = -(-case.seq // hardware.blen) * -(-case.kv_seq // hardware.blen)
    blocks *= -(-case.head_dim // hardware.mlen)
    return _CELL + heads * (_ROW * case.seq * key_tiles + _BLOCK * blocks) + _WORK * cell.work / 1e6


def _of_layer(cell: Cell) -> float:
    """Rows count up to whole systolic blocks; a product is of BLEN x MLEN by MLEN x BLEN elements."""
    rows, hardware = problems.rows(cell.case), cell.case.hardware
    work = cell.work * (-(-rows // hardware.blen) * hardware.blen) / rows
    products = work / (hardware.blen**2 * hardware.mlen)
    return _LAYER + _LAYER_WORK * cell.work / 1e6 + _PRODUCT * products


def _read(file: Path) -> dict[str, float]:
    try:
        found = json.loads(file.read_text())
        return {str(name): float(value) for name, value in found.items() if value > 0}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
