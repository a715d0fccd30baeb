"""The part of many answers that runs on a dask worker, which need not know this project to unpickle it.

dask gets this function as it is, by value. So it imports nothing of the project: what starts the process is
read from the checkout in which the worker was started, once its sources are known to be the same.
"""

from __future__ import annotations

import hashlib
import runpy
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

#: What starts the process, under a guard that ends it with this worker, and what makes its environment.
DOOR, ENVIRONMENT = "tb/engine/processes.py", "tb/engine/environment.py"


def answer(arguments: Sequence[str], files: Mapping[str, str]) -> tuple[int, str, str]:
    """Have a process answer one prompt, in the checkout of this worker; it ends when nobody wants the answer.

    Args:
        arguments: of the command line.
        files: hash of every source that the command needs, by its path in the checkout.

    Returns:
        Exit status, standard output, standard error; status 2 where the sources are others.
    """
    from distributed import get_worker

    for name, wanted in files.items():
        file = Path(name)
        found = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "missing"
        if found != wanted:
            return 2, "", f"error: {Path.cwd() / name} on the worker is not the same file as here\n"
    worker = get_worker()
    key = worker.get_current_task()

    def awaited() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state not in ("cancelled", "released", "forgotten")

    run: Callable[..., int] = runpy.run_path(DOOR)["run"]
    made: Callable[..., Mapping[str, str]] = runpy.run_path(ENVIRONMENT)["of_command"]
    command = [sys.executable, "-m", "scripts.chat", *arguments]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        try:
            status = run(command, Path.cwd(), made(Path.cwd()), output, errors=errors, wanted=awaited)
        except InterruptedError as error:
            return 2, "", f"error: {error}\n"
        texts = []
        for printed in (output, errors):
            printed.seek(0)
            texts.append(printed.read().decode(errors="replace"))
        return status, texts[0], texts[1]
