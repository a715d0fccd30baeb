"""Run a machine-code file: ``python -m scripts.run_program PROGRAM=p.mem OUT=dir [HBM=.. SIM=..]``."""

from __future__ import annotations

import sys

from tb.bench import program_command

if __name__ == "__main__":
    sys.exit(program_command.main(sys.argv[1:]))
