"""The HBM image of a model's weights, made once and kept by content in build/weights.

The name of an image is a hash of the model file, of where everything lies, and of the code that makes it. The
newest `KEPT` images stay, others are removed when one is made; nothing else cleans up.
"""

from __future__ import annotations

import hashlib
import inspect
import os

import numpy as np
from numpy.typing import NDArray

from plena_ref.kernels.language_model import decoder_memory, model_memory, weight_tiles
from plena_ref.kernels.language_model.model_memory import ModelMemory
from plena_ref.machine import hbm_format, mx
from plena_ref.models import gguf_file, hbm_image, safetensors_file, staging
from plena_ref.models.checkpoint import Checkpoint
from tb.engine import paths, scratch

#: Images that are kept, about 190 MB each for SmolLM2-135M.
KEPT = 4
#: What the bytes of an image depend on besides the model file.
_MODULES = (
    *(gguf_file, safetensors_file, hbm_image, staging, decoder_memory, model_memory, weight_tiles),
    *(hbm_format, mx),
)


def _key(memory: ModelMemory, checkpoint: Checkpoint) -> str:
    """The name of an image."""
    digest = hashlib.sha256()
    with checkpoint.path.open("rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    for module in _MODULES:
        digest.update(inspect.getsource(module).encode())
    places = (memory.hw.mlen, memory.hw.hbm_format("m", 0), memory.positions, memory.config, memory.limit)
    digest.update(repr((places, memory.weights, memory.embedding, memory.rope.rotation)).encode())
    return digest.hexdigest()[:24]


def weights_image(memory: ModelMemory, checkpoint: Checkpoint) -> tuple[NDArray[np.uint8], bool]:
    """LIMIT bytes of HBM, and whether they had to be made.

    They are weights, embedding, rotate_half, and caches of zeros; what is between them is 0.
    """
    folder = paths.BUILD / "weights"
    path = folder / f"{_key(memory, checkpoint)}.hbm"
    if path.is_file() and path.stat().st_size == memory.limit:
        os.utime(path)
        return np.fromfile(path, np.uint8), False
    image = np.zeros(memory.limit, np.uint8)
    hbm_image.write_weights(memory, checkpoint.weights, image)
    staging.stage_rotation(memory, image)
    with scratch.folder(folder, "image") as making:
        # Unlike ndarray.tofile this says why it failed.
        (making / path.name).write_bytes(image.data)
        (making / path.name).rename(path)
    by_age = sorted(folder.glob("*.hbm"), key=lambda found: found.stat().st_mtime)
    for old in by_age[:-KEPT]:
        old.unlink(missing_ok=True)
    return image, True
