"""Workers of this machine: a process a unit, gone with everything that it started when this one is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from tb.engine import simulate
from tb.sweep.dispatch import Died, Place
from tb.sweep.messages import Answer, Request

#: Longest answer, in bytes.
_LIMIT = 1 << 26


class Here:
    """So many processes of this machine at a time.

    Args:
        processes: how many.
        output: file to which everything that they print is added.
    """

    workers_may_come = False

    def __init__(self, processes: int, output: Path) -> None:
        self.name = "this machine"
        self._place = Place("this machine", processes)
        self._output = output

    async def places(self) -> dict[str, Place]:
        """This machine."""
        return {self.name: self._place}

    async def ask(self, worker: str, request: Request) -> Answer:
        """Have a process answer; when this is cancelled, the process is killed.

        Raises:
            Died: it ended without an answer.
        """
        with self._output.open("ab") as output:
            start = output.tell()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tb.sweep.child"),
                cwd=simulate.REPO,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=output,
                start_new_session=True,
                limit=_LIMIT,
            )
        try:
            assert process.stdin and process.stdout
            with contextlib.suppress(ConnectionError):
                process.stdin.write(json.dumps(request).encode() + b"\n")
                await process.stdin.drain()
            line = await process.stdout.readline()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if not line:
            raise Died(self._end(start, process.returncode))
        answer: Answer = json.loads(line)
        return answer

    def _end(self, start: int, status: int | None) -> str:
        """How a process ended, with the last that was printed since it began."""
        how = f"signal {-status}" if status and status < 0 else f"exit status {status}"
        with self._output.open("rb") as output:
            output.seek(start)
            printed = output.read()[-1000:].decode(errors="replace").strip()
        return f"{how}; {printed}" if printed else how
