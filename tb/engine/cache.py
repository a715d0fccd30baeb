"""Models by content: one that was built from the same text, options and tools is never built again.

A model lies in ``build/models/<top>-<simulator>-<hash>/``. The hash covers the text of every source,
parameters, options, and the versions of the tools, so a model never needs to be cleaned by hand and two
processes that want the same one share it (the second waits on a file lock).
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path

from tb.engine import paths, scratch, steps
from tb.engine.locks import locked
from tb.engine.model import Model, Options
from tb.engine.simulator import Simulator
from tb.engine.tools import NotBuilt, SimulationError, Tool, cocotb_library


def content_hash(
    simulator: Simulator, tool: Tool, root: Path, sources: Sequence[str], options: Options
) -> str:
    """Sixteen hexadecimal digits of everything that a model depends on.

    Raises:
        SimulationError: a source cannot be read.
    """
    digest = hashlib.sha256()
    versions = [tool.version, cocotb_library()]
    keys = [*versions, dataclasses.asdict(options), simulator.key(options), list(sources)]
    digest.update(json.dumps(keys, sort_keys=True).encode())
    files = [root / source for source in sources] + simulator.inputs(options)
    for include in options.includes:
        files += sorted((root / include).glob("*.*h"))
    for file in files:
        try:
            digest.update(file.read_bytes())
        except OSError as error:
            raise SimulationError(f"source file {file}: {error.strerror}") from error
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def find_or_build(
    simulator: Simulator,
    tool: Tool,
    root: Path,
    sources: Sequence[str],
    options: Options,
    compile: bool = True,
) -> Model:
    """Return the model of these sources; compile it first when no one has.

    Two processes that no lock keeps apart compile the same model; the first to end leaves its own.

    Raises:
        SimulationError: a file is missing or the compiler found an error.
        NotBuilt: no one has compiled it, and `compile` is False.
    """
    key = content_hash(simulator, tool, root, sources, options)
    folder = paths.BUILD / "models" / f"{options.top}-{tool.name}-{key}"
    model = Model(
        tool.name, options.top, folder / simulator.model_file, options.parameters, 0.0, options.waves
    )
    if model.executable.exists():
        return model
    if not compile:
        raise NotBuilt(f"{folder.name} is not in the cache")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with steps.step(f"{options.top}: waiting for another process that builds it"):
            stack.enter_context(locked(folder.with_suffix(".lock")))
        if model.executable.exists():
            return model
        started = time.monotonic()
        with scratch.folder(folder.parent, folder.name) as place:
            simulator.compile(tool, place, [root / source for source in sources], root, options)
            try:
                place.rename(folder)
            except OSError:
                if not model.executable.exists():
                    raise
    return dataclasses.replace(model, build_seconds=time.monotonic() - started)
