"""The golden of a build directory: a tensor that torch saved, or text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tb.peer import torch_tensor
from tb.peer.errors import PeerError, read_text

TEXT, TENSOR = "golden_result.txt", "golden_output.pt"
HEADING, _COMPACT = "Original Output:", "Compact Golden Result"
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?(?:nan|inf|infinity)", re.IGNORECASE)
_TWO_DECIMALS, _FEWER = re.compile(r"[-+]?\d*\.\d\d"), re.compile(r"[-+]?\d*\.\d?")


@dataclass(frozen=True)
class Golden:
    """What a run must come to.

    Attributes:
        path: the file it comes from.
        values: float64, rows x columns.
        two_decimals: its text has no more than two, so each value is off by up to 0.005.
    """

    path: Path
    values: NDArray[np.float64]
    two_decimals: bool


def read(folder: Path, rows: int) -> Golden:
    """The golden of a directory as `rows` rows; a saved tensor is preferred to text.

    Raises:
        PeerError: neither file is there, the file is odd, or its values do not make `rows` rows.
    """
    path, two_decimals = _tensor_file(folder), False
    if path is not None:
        values = torch_tensor.read(path).reshape(-1)
    else:
        path = folder / TEXT
        values, two_decimals = _from_text(path)
    if values.size == 0 or values.size % rows:
        raise PeerError(path, None, f"{values.size} values do not make num_batches = {rows} rows")
    return Golden(path, values.reshape(rows, -1), two_decimals)


def _tensor_file(folder: Path) -> Path | None:
    """The saved tensor: under its usual name, or under the one that a compact text names; else None."""
    if (folder / TENSOR).exists():
        return folder / TENSOR
    path = folder / TEXT
    text = read_text(path)
    if HEADING in text or _COMPACT not in text:
        return None
    named = folder / _tensor_name(path, text)
    if not named.exists():
        raise PeerError(named, None, f"missing; {path.name} is compact")
    return named


def _from_text(path: Path) -> tuple[NDArray[np.float64], bool]:
    """The flat list of numbers below the heading, and whether none has more than two decimals."""
    text = read_text(path)
    if HEADING not in text:
        raise PeerError(path, HEADING, "this line is missing")
    body = text.split(HEADING, 1)[1]
    body = body[: _list_end(path, body)]
    if "..." in body:
        raise PeerError(path, HEADING, "the list is abbreviated")
    tokens = re.split(r"[\s,\[\]]+", body.strip("[], \t\r\n"))
    tokens = [token for token in tokens if token]
    odd = next((token for token in tokens if not _NUMBER.fullmatch(token)), None)
    if odd is not None or not tokens:
        raise PeerError(path, HEADING, f"'{(odd or '')[:40]}' is no number")
    finite = [token for token in tokens if token[-1].isdigit() or token[-1] == "."]
    longer = [token for token in finite if not _FEWER.fullmatch(token)]
    two_decimals = bool(longer) and all(_TWO_DECIMALS.fullmatch(token) for token in longer)
    return np.array([float(token) for token in tokens]), two_decimals


def _list_end(path: Path, body: str) -> int:
    """Where the list that begins `body` ends."""
    depth = 0
    if not body.lstrip().startswith("["):
        raise PeerError(path, HEADING, "no list [ ... ] follows it")
    for match in re.finditer(r"[\[\]]", body):
        depth += 1 if match[0] == "[" else -1
        if depth == 0:
            return match.end()
    raise PeerError(path, HEADING, "the list has no end; the file is cut off")


def _tensor_name(path: Path, text: str) -> str:
    """The file that a compact golden names."""
    try:
        name = json.loads(text[text.index("{") :])["golden_output_file"]
    except (ValueError, KeyError, TypeError):
        return TENSOR
    if not isinstance(name, str) or Path(name).name != name:
        raise PeerError(path, "golden_output_file", f"{name!r} is no name of a file in the directory")
    return name
