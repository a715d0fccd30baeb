"""The golden of a build directory: text in its forms, saved tensors, and what pretends to be one."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tb.peer import golden, torch_tensor
from tb.peer.errors import PeerError
from tests.peer.directories import torch_pickle, write_tensor

VALUES = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def write_text(folder: Path, body: str) -> None:
    (folder / golden.TEXT).write_text(f"Input Tensor:\n[1.00 2.00]\n\nOriginal Output:\n{body}")


@pytest.mark.parametrize(
    "body",
    [
        "[\n" + "\n".join("  " + " ".join(f"{v:.9g}" for v in row) for row in VALUES) + "\n]",
        str(VALUES.astype(float).tolist()),
        "[" + ", ".join(f"{v:.9g}" for v in VALUES.reshape(-1)) + "]\nwhatever follows",
    ],
    ids=["rows", "nested", "flat"],
)
def test_text_in_its_forms(body: str, tmp_path: Path) -> None:
    write_text(tmp_path, body)
    found = golden.read(tmp_path, 3)
    assert np.array_equal(found.values.astype(np.float32), VALUES)
    assert not found.two_decimals


def test_two_decimals_are_named_and_odd_numbers_are_read(tmp_path: Path) -> None:
    write_text(tmp_path, "[[1.25 -0.50]\n [.75 12.00]]")
    assert golden.read(tmp_path, 2).two_decimals
    write_text(tmp_path, "[1.25 nan -inf -3.00]")
    assert golden.read(tmp_path, 1).two_decimals
    write_text(tmp_path, "[[1.25, -0.5], [0.0, 12.0]]")
    assert golden.read(tmp_path, 2).two_decimals
    write_text(tmp_path, "[1.25e-05 2.50]")
    assert not golden.read(tmp_path, 1).two_decimals
    write_text(tmp_path, "[1.25e-05 nan -inf 3]")
    assert not (found := golden.read(tmp_path, 1)).two_decimals
    assert found.values[0, 0] == 1.25e-05 and np.isnan(found.values[0, 1])
    assert found.values[0, 2] == -np.inf and found.values[0, 3] == 3


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("[1.0 2.0", "cut off"),
        ("[1.0 ... 2.0]", "abbreviated"),
        ("[1.0 tensor 2.0]", "'tensor' is no number"),
        ("1.0 2.0", "no list"),
        ("[1.0 2.0 3.0]", "3 values do not make num_batches = 2 rows"),
        ("[]", "is no number"),
    ],
)
def test_odd_text_is_refused(body: str, why: str, tmp_path: Path) -> None:
    write_text(tmp_path, body)
    with pytest.raises(PeerError, match=rf"golden_result\.txt.*{why}"):
        golden.read(tmp_path, 2)


def test_a_compact_golden_needs_its_tensor(tmp_path: Path) -> None:
    (tmp_path / golden.TEXT).write_text('Compact Golden Result\n{"golden_output_file": "golden_output.pt"}')
    with pytest.raises(PeerError, match=r"golden_output\.pt: missing"):
        golden.read(tmp_path, 3)
    write_tensor(tmp_path / golden.TENSOR, VALUES)
    assert np.array_equal(golden.read(tmp_path, 3).values, VALUES.astype(np.float64))
    (tmp_path / golden.TENSOR).rename(tmp_path / "other.pt")
    (tmp_path / golden.TEXT).write_text('Compact Golden Result\n{"golden_output_file": "other.pt"}')
    assert golden.read(tmp_path, 3).path.name == "other.pt"
    (tmp_path / golden.TEXT).write_text('Compact Golden Result\n{"golden_output_file": "../other.pt"}')
    with pytest.raises(PeerError, match="is no name of a file in the directory"):
        golden.read(tmp_path, 3)


def test_a_tensor_is_preferred_to_text(tmp_path: Path) -> None:
    write_text(tmp_path, "[0 0 0]")
    write_tensor(tmp_path / golden.TENSOR, VALUES)
    found = golden.read(tmp_path, 3)
    assert found.path.name == golden.TENSOR and np.array_equal(found.values, VALUES.astype(np.float64))


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> tuple:
        return (exec, (f"open({str(self.touched)!r}, 'w')",))


def hostile_pickles(touched: Path) -> dict[str, bytes]:
    rebuild = torch_pickle(VALUES)
    return {
        "reduce": pickle.dumps(Hostile(touched), protocol=2),
        "by name": torch_pickle(VALUES, "os\nsystem"),
        "nested name": torch_pickle(VALUES, "torch\nload"),
        "numpy": pickle.dumps(np.zeros(3)),
        "state": rebuild[:-1] + b"}X\x01\x00\x00\x00xK\x01sb.",
        "state of a function": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00xK\x01sb.",
        "no tensor": pickle.dumps([1, 2], protocol=2),
        "cut off": rebuild[:40],
        "large": b"\x80\x02" + b"K\x00" * 40_000 + b".",
        "too wide": torch_pickle(np.lib.stride_tricks.as_strided(VALUES, (3, 9), (16, 4))),
    }


@pytest.mark.parametrize("name", hostile_pickles(Path("x")))
def test_a_hostile_tensor_is_refused_and_runs_nothing(name: str, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    data = hostile_pickles(touched)[name]
    write_tensor(tmp_path / golden.TENSOR, VALUES, data)
    write_text(tmp_path, str(VALUES.tolist()))
    with pytest.raises(PeerError, match=r"golden_output\.pt: refused"):
        golden.read(tmp_path, 3)
    assert not touched.exists()


def test_free_unpickling_would_have_run_it(tmp_path: Path) -> None:
    """The hostile pickle works: it is the reader that stops it."""
    touched = tmp_path / "touched"
    pickle.loads(pickle.dumps(Hostile(touched), protocol=2))
    assert touched.exists()


def test_storages_that_lie_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(b"no archive")
    with pytest.raises(PeerError, match="no zip archive"):
        torch_tensor.read(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", torch_pickle(VALUES))
        archive.writestr("x/data/0", bytes(VALUES.nbytes))
    with pytest.raises(PeerError, match="compressed"):
        torch_tensor.read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", torch_pickle(VALUES))
        archive.writestr("x/data/0", bytes(VALUES.nbytes - 4))
    with pytest.raises(PeerError, match="storage 0 has 44 bytes for 12 elements"):
        torch_tensor.read(path)


def test_a_view_with_strides_is_rebuilt(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    write_tensor(path, VALUES, torch_pickle(VALUES.T))
    assert np.array_equal(torch_tensor.read(path), VALUES.T.astype(np.float64))
