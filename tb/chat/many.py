"""Several prompts at a time, each in a process of its own: an answer keeps two cores busy.

The processes run on this host, or on the workers of a dask scheduler (remote_answer.py).
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tb.bench.options import UsageError
from tb.chat import remote_answer
from tb.engine import environment, paths, processes, sources

#: Cores of one answer: the RTL's, and that of the reference machine and the judge.
CORES = 2
#: Seconds for a scheduler to answer.
ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Ended:
    """A process that has answered a prompt.

    Attributes:
        status: its exit status.
        printed, errors: what it printed, on standard output and standard error.
    """

    status: int
    printed: str
    errors: str


def at_once() -> int:
    """Answers that this host's cores can work on at a time."""
    return max(1, len(os.sched_getaffinity(0)) // CORES)


def source_hashes() -> dict[str, str]:
    """Hash of every source that an answer depends on, by its path in the checkout."""
    files = sources.sources(("scripts.chat", "tb.bench.session_runner"), paths.REPO)
    return {str(name): hashlib.sha256((paths.REPO / name).read_bytes()).hexdigest() for name in files}


def answer_all(prompts: Sequence[str], others: Sequence[str], count: int) -> int:
    """Answer all prompts here, `count` at a time; prints each one's output when it is its turn.

    Args:
        prompts: what is asked.
        others: the other arguments of the command line.
        count: answers at a time.

    Returns:
        The largest exit status.
    """

    def answer(prompt: str) -> Ended:
        command = [sys.executable, "-m", "scripts.chat", f"PROMPT={prompt}", *others]
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            status = processes.run(
                command, Path.cwd(), environment.of_command(paths.REPO), output, errors=errors
            )
            texts = []
            for file in (output, errors):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
            return Ended(status, *texts)

    with ThreadPoolExecutor(max_workers=count) as pool:
        return _show(pool.map(answer, prompts))


def answer_on(scheduler: str, prompts: Sequence[str], others: Sequence[str]) -> int:
    """Answer all prompts on the workers of a dask scheduler, which were started in checkouts like this one.

    Args:
        scheduler: its address, as tcp://host:8786.
        prompts, others: as for `answer_all`.

    Returns:
        The largest exit status.

    Raises:
        UsageError: the scheduler does not answer, or has no worker.
    """
    import cloudpickle
    from distributed import Client

    cloudpickle.register_pickle_by_value(remote_answer)
    files = source_hashes()
    try:
        client = Client(scheduler, timeout=ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(f"SCHEDULER={scheduler}: {error}") from None
    with client:
        if not client.scheduler_info()["workers"]:
            raise UsageError(f"SCHEDULER={scheduler}: it has no worker")
        given = [[f"PROMPT={prompt}", *others] for prompt in prompts]

        def answer(arguments: Sequence[str]) -> tuple[int, str, str]:
            # Inside a function: dask sends others by their name, which the worker would import.
            return remote_answer.answer(arguments, files)

        futures = client.map(answer, given, pure=False, retries=0)
        return _show(Ended(*future.result()) for future in futures)


def _show(answers: Iterable[Ended]) -> int:
    """Print answers in their order, and of their errors those lines; returns the largest exit status."""
    worst = 0
    for done in answers:
        print(done.printed, end="", flush=True)
        errors = [line for line in done.errors.splitlines() if line.startswith("error:")]
        print(*errors, sep="\n", end="\n" if errors else "", file=sys.stderr)
        worst = max(worst, done.status)
    return worst
