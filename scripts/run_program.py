"""Run a machine-code file or a build directory of PLENA's tools: what ``make run`` calls.

``python -m scripts.run_program PROGRAM=p.mem OUT=dir [HBM=.. SIM=..]`` or ``BUILD=dir [SETTINGS=.. SIM=..]``.
"""

from __future__ import annotations

import sys

from tb.bench import command, program_command
from tb.peer import build_command

if __name__ == "__main__":
    keys = {key.upper() for key, _, value in (argument.partition("=") for argument in sys.argv[1:]) if value}
    of_build = "BUILD" in keys
    sys.exit(command.run((build_command if of_build else program_command).main, sys.argv[1:]))
