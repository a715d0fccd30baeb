"""Make a run again from its folder: ``python -m scripts.replay_run RUN=build/runs/mha_batch2 [WAVES=1]``."""

from __future__ import annotations

import sys

from tb.bench import command, replay_command

if __name__ == "__main__":
    sys.exit(command.run(replay_command.main, sys.argv[1:]))
