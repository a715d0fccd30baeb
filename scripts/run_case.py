"""Run one case: ``python -m scripts.run_case TEST=mha_batch2 [MLEN=.. SEQ=.. SIM=.. WAVES=1 ..]``."""

from __future__ import annotations

import sys

from tb.bench import case_command, command

if __name__ == "__main__":
    sys.exit(command.run(case_command.main, sys.argv[1:]))
