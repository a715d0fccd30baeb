"""The part of many answers that runs on a dask worker, which need not know this project to unpickle it.

dask gets this function as it is, by value. So it imports nothing of the project; the folder in which the
worker was started is the checkout.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def answer(arguments: Sequence[str], files: Mapping[str, str]) -> tuple[int, str, str]:
    """Have a process answer one prompt, in the checkout of this worker.

    Args:
        arguments: of the command line.
        files: hash of every source that the command needs, by its path in the checkout.

    Returns:
        Exit status, standard output, standard error; status 2 where the sources are others.
    """
    for name, wanted in files.items():
        file = Path(name)
        found = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "missing"
        if found != wanted:
            return 2, "", f"error: {Path.cwd() / name} on the worker is not the same file as here\n"
    command = [sys.executable, "-m", "scripts.chat", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr
