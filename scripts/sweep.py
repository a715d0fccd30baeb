"""Run the declared matrix of shapes: ``python -m scripts.sweep [MLEN=8,16 MASK=cached LIMIT=100 ...]``.

Results and exit status are those of tb/sweep/command.py.
"""

from __future__ import annotations

import sys

from tb.bench import command
from tb.sweep.command import main

if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
