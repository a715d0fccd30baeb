"""Build directories for the tests: small cases of this project in the format of PLENA's tools."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from numpy.typing import NDArray

from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.registry import CASES
from tb.peer import comparison
from tb.peer.export import write_directory

#: A result in two column blocks, of two batches, on the small machine.
NAME = "mha_batch2_sub64"


@cache
def _original(case: Case, parent: Path) -> Path:
    folder = Path(mkdtemp(prefix="original-", dir=parent))
    write_directory(case, folder)
    return folder


def directory(tmp_path: Path, case: str | Case = NAME, name: str = "build") -> Path:
    """A fresh copy of a case's build directory below `tmp_path`."""
    chosen = CASES[case] if isinstance(case, str) else case
    return Path(shutil.copytree(_original(chosen, tmp_path.parent), tmp_path / name))


def small_case(name: str, kernel: str, **problem: object) -> Case:
    """A case on the small machine."""
    return make_case(name, CASES[NAME].hardware, kernel, **problem)


def change_json(path: Path, change: Callable[[dict], None]) -> None:
    """Change an object in a JSON file."""
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def set_parameters(folder: Path, **values: object) -> None:
    """Set keys of `comparison_params.json`; None removes one."""

    def change(params: dict) -> None:
        params.update(values)
        for key in [key for key, value in params.items() if value is None]:
            del params[key]

    change_json(folder / comparison.FILE, change)


def replace_in(path: Path, old: str, new: str) -> None:
    """Replace the first `old` in a text file, which must hold it."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def torch_pickle(values: NDArray[np.float32], name: str = "torch._utils\n_rebuild_tensor_v2") -> bytes:
    """The pickle that torch.save writes of a float32 tensor, byte for byte; `name` is what it calls."""

    def number(value: int) -> bytes:
        return b"J" + value.to_bytes(4, "little")

    def text(value: str) -> bytes:
        return b"X" + len(value).to_bytes(4, "little") + value.encode()

    strides = [step // values.itemsize for step in values.strides]
    storage = (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(values.size)
    )
    size = b"(" + b"".join(map(number, values.shape)) + b"t"
    stride = b"(" + b"".join(map(number, strides)) + b"t"
    arguments = b"(" + storage + b"tQ" + number(0) + size + stride + b"\x89ccollections\nOrderedDict\n)Rt"
    return b"\x80\x02c" + name.encode() + b"\n" + arguments + b"R."


def write_tensor(path: Path, values: NDArray, pickled: bytes | None = None) -> None:
    """Write a file as torch.save does; `pickled` takes the place of the pickle."""
    values = np.ascontiguousarray(values, np.float32)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("golden_output/data.pkl", torch_pickle(values) if pickled is None else pickled)
        archive.writestr("golden_output/byteorder", "little")
        archive.writestr("golden_output/data/0", values.tobytes())
        archive.writestr("golden_output/version", "3\n")
    path.write_bytes(stream.getvalue())
