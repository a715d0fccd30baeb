"""One tensor out of a file that torch saved, without torch and without running what the file says.

Such a file is a zip archive: a pickle that names a function, its arguments and numbered storages, and each
storage as raw bytes. Of a pickle's names only those that rebuild a tensor are admitted, and they are bound to
the objects of this file; every other name is refused before anything is called.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.numerics import bf16_to_f32
from tb.peer.errors import PeerError, read_bytes

#: A pickle that rebuilds a tensor has a few hundred bytes.
_PICKLE_BYTES = 1 << 16

_Values = NDArray[np.float32] | NDArray[np.float64]


class _Refused(Exception):
    """The file does something else than to rebuild one tensor."""


@dataclass(frozen=True)
class _StorageType:
    """What `torch.FloatStorage` and its like stand for; not callable."""

    dtype: str
    bf16: bool = False


class _Rebuild:
    """What `torch._utils._rebuild_tensor_v2` stands for: a view of a storage. It has no state to change."""

    __slots__ = ()

    def __call__(
        self, storage: object, offset: object, size: object, stride: object, *_autograd: object
    ) -> _Values:
        if (
            not isinstance(storage, np.ndarray)
            or not isinstance(size, tuple)
            or not isinstance(stride, tuple)
        ):
            raise _Refused("a tensor of something else than a storage")
        numbers = (offset, *size, *stride)
        if (
            type(offset) is not int
            or len(size) != len(stride)
            or any(type(n) is not int or n < 0 for n in numbers)
        ):
            raise _Refused("a tensor with odd sizes")
        elements = int(np.prod(size, dtype=object))
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if elements > storage.size or (elements and last >= storage.size):
            raise _Refused("a tensor larger than its storage")
        steps = [step * storage.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(storage[offset:], size, steps).copy()


class _NoHooks:
    """What `collections.OrderedDict` stands for: a tensor's hooks, of which there are none."""

    __slots__ = ()

    def __call__(self) -> None:
        return None


_ADMITTED: dict[tuple[str, str], object] = {
    ("torch._utils", "_rebuild_tensor_v2"): _Rebuild(),
    ("collections", "OrderedDict"): _NoHooks(),
    ("torch", "FloatStorage"): _StorageType("<f4"),
    ("torch", "DoubleStorage"): _StorageType("<f8"),
    ("torch", "HalfStorage"): _StorageType("<f2"),
    ("torch", "BFloat16Storage"): _StorageType("<u2", bf16=True),
}


class _Unpickler(pickle.Unpickler):
    """Admits the names above and storages of the archive."""

    def __init__(self, stream: io.BytesIO, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(stream)
        self._archive, self._root = archive, root

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ADMITTED:
            raise _Refused(f"the name {module}.{name} is not one that rebuilds a tensor")
        return _ADMITTED[module, name]

    def persistent_load(self, pid: object) -> _Values:
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage":
            raise _Refused("an odd storage")
        kind, key, count = pid[1], pid[2], pid[4]
        if not isinstance(kind, _StorageType) or type(key) is not str or not key.isalnum():
            raise _Refused("an odd storage")
        raw = np.frombuffer(_member(self._archive, f"{self._root}/data/{key}"), np.uint8)
        size = np.dtype(kind.dtype).itemsize
        if type(count) is not int or raw.size != count * size:
            raise _Refused(f"storage {key} has {raw.size} bytes for {count} elements")
        values = raw.view(kind.dtype)
        return bf16_to_f32(values) if kind.bf16 else values.astype(np.float64)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member that is stored as it is: a compressed one could be of any size."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise _Refused(f"it has no member {name}") from None
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > info.compress_size:
        raise _Refused(f"its member {name} is compressed")
    return archive.read(info)


def read(path: Path) -> NDArray[np.float64]:
    """The tensor of a file, shaped as it was saved; of a dictionary the entry ``original_output``.

    Raises:
        PeerError: the file cannot be read, is no such archive, or holds anything but a tensor.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(path))) as archive:
            pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise _Refused(f"it has {len(pickles)} members data.pkl")
            root = pickles[0].removesuffix("/data.pkl")
            if (
                f"{root}/byteorder" in archive.namelist()
                and _member(archive, f"{root}/byteorder") != b"little"
            ):
                raise _Refused("its storages are not little-endian")
            data = _member(archive, pickles[0])
            if len(data) > _PICKLE_BYTES:
                raise _Refused(f"its pickle has {len(data)} bytes, more than a tensor needs")
            found = _Unpickler(io.BytesIO(data), archive, root).load()
    except _Refused as error:
        raise PeerError(path, None, f"refused: {error}") from None
    except zipfile.BadZipFile:
        raise PeerError(path, None, "no zip archive as torch.save writes it") from None
    except Exception as error:
        # A hostile pickle may fail in any way; none of them runs what it names.
        raise PeerError(path, None, f"refused: its pickle is broken ({type(error).__name__})") from None
    if isinstance(found, dict):
        found = found.get("original_output")
    if not isinstance(found, np.ndarray):
        raise PeerError(path, None, "refused: it holds no tensor")
    return np.asarray(found, np.float64)
