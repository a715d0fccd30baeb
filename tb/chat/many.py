"""Several prompts at a time, each in a process of its own: an answer keeps two cores busy."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tb.engine import paths, processes

#: Cores of one answer: the RTL's, and that of the reference machine and the judge.
CORES = 2


def at_once() -> int:
    """Answers that this host's cores can work on at a time."""
    return max(1, len(os.sched_getaffinity(0)) // CORES)


def answer_all(prompts: Sequence[str], others: Sequence[str], count: int) -> int:
    """Answer all prompts, `count` at a time; prints each one's output when it is its turn.

    Args:
        prompts: what is asked.
        others: the other arguments of the command line.
        count: answers at a time.

    Returns:
        The largest exit status.
    """

    def answer(prompt: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "scripts.chat", f"PROMPT={prompt}", *others]
        environment = {**os.environ, "PYTHONPATH": str(paths.REPO)}
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            status = processes.run(command, Path.cwd(), environment, output, errors=errors)
            texts = []
            for file in (output, errors):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
            return status, texts[0], texts[1]

    worst = 0
    with ThreadPoolExecutor(max_workers=count) as pool:
        for status, printed, complaints in pool.map(answer, prompts):
            print(printed, end="", flush=True)
            errors = [line for line in complaints.splitlines() if line.startswith("error:")]
            print(*errors, sep="\n", end="\n" if errors else "", file=sys.stderr)
            worst = max(worst, status)
    return worst
