"""What a run was, in `run.json`: the command, the machine, and everything that its verdict was made from.

With the program, the images and the golden beside it, a run is made and judged again from its folder alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.machine_code import read_program
from plena_ref.machine import image_files
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.hbm_format import HbmFormat
from plena_ref.machine.regions import Region
from plena_ref.machine.state import MemoryImages
from plena_ref.machine.tensors import NamedTensor
from plena_ref.verdict.comparison import ComparisonParameters
from plena_ref.verdict.tolerance import Tolerance
from tb.runs.tensor_files import TENSORS

RECORD = "run.json"
VERSION = 2


class RecordError(ValueError):
    """A folder that is no run, or not a whole one; the message names it."""


@dataclass(frozen=True)
class Settings:
    """How a run was made.

    Attributes:
        command: what one types to make it again.
        test: name of the case.
        problem: the problem in a line.
        kernel: which kernel.
        simulator: where it ran.
        seed: of the inputs, and of the memory's pauses.
        limit: HBM bytes that belong to data.
        latency: cycles from a memory request to its answer.
        jitter: chance in 256 that a memory channel pauses in a cycle.
        beats: beats of 64 bytes a cycle that the memory moved in each direction, "1" or "n/m".
        x_seed: seed of the values that stand for unknown ones, or None.
        poison: what each memory held where nothing was staged, in hexadecimal.
    """

    command: str
    test: str
    problem: str
    kernel: str
    simulator: str
    seed: int
    limit: int
    latency: int
    jitter: int
    beats: str
    x_seed: int | None
    poison: dict[str, str]


@dataclass(frozen=True)
class Record:
    """A run as it was; with its folder it is work that a verdict can judge (`plena_ref.verdict.judged`).

    Attributes:
        folder: where the files are.
        settings: how it was made.
        hardware: the machine.
        tolerance, outputs, scratch, comparison, head_cols, integers: as of `workloads.base.Workload`.
        tensors: what lies where.
    """

    folder: Path
    settings: Settings
    hardware: Hardware
    tolerance: Tolerance
    outputs: Sequence[Region]
    scratch: Sequence[Region]
    comparison: ComparisonParameters
    head_cols: int
    integers: dict[int, int]
    tensors: Sequence[NamedTensor]

    def _array(self, name: str) -> NDArray[np.float64]:
        values: NDArray[np.float64] = np.load(self.folder / TENSORS / f"{name}.npy").astype(np.float64)
        return values

    @cached_property
    def words(self) -> list[int]:
        """The program."""
        return read_program(self.folder / "program.mem")

    @cached_property
    def listing(self) -> str:
        """The program as assembly text."""
        return (self.folder / "program.lst").read_text(encoding="utf-8")

    @property
    def sources(self) -> Sequence[tuple[str, int]]:
        """Nothing: the kernel may be another one today."""
        return ()

    @property
    def limit(self) -> int:
        """HBM bytes that belong to data."""
        return self.settings.limit

    @cached_property
    def images(self) -> MemoryImages:
        """Memories before the run."""
        return self.memories("images")

    def memories(self, name: str) -> MemoryImages:
        """The memories in the subfolder `name`: images or dumps; HBM is as the poison behind its file.

        Raises:
            ImageError: a file is missing or does not fit.
        """
        images = MemoryImages.poisoned(self.hardware)
        for memory in image_files.MEMORIES:
            image_files.read_into(images, memory, self.folder / name / f"{memory}.bin")
        return images

    @cached_property
    def golden(self) -> NDArray[np.float64]:
        """batch x seq x heads x head_dim."""
        return self._array("golden")

    @property
    def interval(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Bounds of every element, or None where the tolerance judges."""
        if not (self.folder / TENSORS / "lower_bound.npy").exists():
            return None
        return self._array("lower_bound"), self._array("upper_bound")

    @cached_property
    def modelled(self) -> NDArray[np.float64] | None:
        """What the roundings make of the data, or None where nobody says it."""
        return self._array("modelled") if (self.folder / TENSORS / "modelled.npy").exists() else None

    def write(self) -> None:
        """Leave it in its folder."""
        values = asdict(self)
        del values["folder"]
        (self.folder / RECORD).write_text(json.dumps({"schema": VERSION, **values}) + "\n")


def read(folder: Path) -> Record:
    """The record of a run.

    Raises:
        RecordError: there is none, or it is of another version.
    """
    try:
        values = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        raise RecordError(f"{folder} holds no run: {RECORD} is missing or damaged") from None
    version = values.pop("schema", None)
    if version != VERSION:
        raise RecordError(f"{folder / RECORD} has version {version}, this is version {VERSION}")
    try:
        return _record(folder, values)
    except (KeyError, TypeError) as error:
        raise RecordError(f"{folder / RECORD} is damaged: {error}") from None


def _record(folder: Path, values: dict[str, Any]) -> Record:  # Any: JSON of a file that may be damaged
    tensors = [
        NamedTensor(**{**tensor, "form": HbmFormat(**tensor["form"]) if tensor["form"] else None})
        for tensor in values["tensors"]
    ]
    return Record(
        folder=folder,
        settings=Settings(**values["settings"]),
        hardware=Hardware(**values["hardware"]),
        tolerance=Tolerance(**values["tolerance"]),
        outputs=[Region(**region) for region in values["outputs"]],
        scratch=[Region(**region) for region in values["scratch"]],
        comparison=ComparisonParameters(**values["comparison"]),
        head_cols=values["head_cols"],
        integers={int(word): value for word, value in values["integers"].items()},
        tensors=tensors,
    )
