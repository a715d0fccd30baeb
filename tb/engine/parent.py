"""The end of a parent: a command that make started is told to end when make is gone, even when it was killed.

make says who it is in an environment variable (the Makefile's OURS). Nothing else that starts a command does:
what runs under nohup goes on when its shell ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

#: The process number of the make that started this command.
VARIABLE = "PLENA_MAKE"
#: PR_SET_PDEATHSIG of Linux's prctl(2): the signal that this process gets when its parent ends.
_SIGNAL_OF_THE_PARENTS_END = 1


def end_with_make() -> None:
    """Have the system send SIGTERM to this process when the make that started it ends (Linux only)."""
    if os.environ.pop(VARIABLE, "") == str(os.getppid()):
        end_with_parent()


def end_with_parent() -> None:
    """Have the system send SIGTERM to this process when the one that started it ends (Linux only)."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_SIGNAL_OF_THE_PARENTS_END, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:
        # It ended before it could be watched.
        os.kill(os.getpid(), signal.SIGTERM)
