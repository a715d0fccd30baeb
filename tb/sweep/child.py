"""The process that runs one unit: `python -m tb.sweep.child`, one line of JSON in, one line of JSON out.

It hashes the sources before it imports what runs the unit, and once more afterwards; results on other sources
than the sweep's never leave it. It ends, with everything that it started, as soon as its standard input
closes: that is when the process that wants the result is gone, however it went.

A request is {"task": "check" or "run", "matrix": text of the matrix file, "files", "tools": of the sweep's
fingerprint, "unit": of a run}. The answer is {"results": [...]}, {"refused": why} for a host that must not
run units, {"failed": why}, or what `checks.host` says of the host.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, TextIO

from tb.sweep import fingerprint
from tb.sweep.fingerprint import Fingerprint

if TYPE_CHECKING:
    from tb.sweep.messages import Answer, Request

#: What no import names: the versions of everything installed.
DATA_FILES = ("constraints.txt",)
#: Of the environment, what would change a run.
UNWANTED = ("SIM", "SIM_TIMEOUT", "X_SEED", "PLENA_TB_JOBS", "COCOTB_REWRITE_ASSERTION_FILES")


def answer(request: Request) -> Answer:
    """Do what a request asks for."""
    wanted = Fingerprint(request["files"], request["tools"])
    stamps = fingerprint.stamps(wanted.files)
    difference = wanted.difference(fingerprint.take_of(wanted.files))
    if difference:
        return {"refused": difference}
    from tb.sweep import checks, matrix, unit

    chosen = matrix.parse(request["matrix"])
    if request["task"] == "check":
        return checks.host(chosen)
    assert request["unit"] is not None
    results: list[Mapping[str, object]]
    results = [asdict(result) for result in unit.run(unit.Unit.from_json(request["unit"]), chosen)]
    if fingerprint.stamps(wanted.files) != stamps:
        return {"refused": "sources were written while the unit ran"}
    return {"results": results}


def main() -> int:
    """Read the request, answer it, and die early when nobody waits for the answer any more."""
    if os.getpgid(0) != os.getpid():
        os.setpgid(0, 0)
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    # What the unit starts has neither of the two: it reads nothing, and its output goes to the log.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    for name in UNWANTED:
        os.environ.pop(name, None)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    request = json.loads(requests.readline())
    threading.Thread(target=_die_with, args=(requests,), daemon=True).start()
    try:
        text = json.dumps(answer(request))
    except Exception as error:
        traceback.print_exc()
        text = json.dumps({"failed": f"{type(error).__name__}: {error}"[-4000:]})
    answers.write(text + "\n")
    answers.flush()
    os._exit(0)


def _die_with(requests: TextIO) -> None:
    """Wait for the end of standard input, then kill this process and all of its group."""
    requests.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
