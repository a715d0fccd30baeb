"""The part of a sweep that runs on a dask worker, which need not know this project to unpickle it.

dask gets these functions as they are, by value. So they import nothing of the project; the folder in which
the worker was started is the checkout.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tb.sweep.messages import Answer, Request


def answer(request: Request) -> Answer:
    """Have a process answer a request, in the checkout of this worker; {"died": why} when it does not.

    It is killed when the sweep does not want the answer any more.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()
    if not os.path.exists("tb/sweep/child.py"):
        return {"refused": f"{os.getcwd()} is no checkout: start the worker in one"}
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tb.sweep.child"],
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=errors,
            start_new_session=True,
        )
        assert process.stdin is not None
        try:
            # It lives as long as its standard input stays open.
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            while process.poll() is None:
                task = worker.state.tasks.get(key)
                if task is None or task.state in ("cancelled", "released", "forgotten"):
                    return {"died": "nobody wants the answer"}
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        printed.seek(0)
        errors.seek(0)
        text = printed.read()
        if not text:
            return {
                "died": f"exit status {process.returncode}; {errors.read()[-1000:].decode(errors='replace')}"
            }
        reply: Answer = json.loads(text)
        return reply
