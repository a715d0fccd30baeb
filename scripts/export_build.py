"""Write a case as a build directory: ``python -m scripts.export_build TEST=name OUT=dir [KEY=VALUE ..]``."""

from __future__ import annotations

import sys

from tb.bench import command
from tb.peer import export_command

if __name__ == "__main__":
    sys.exit(command.run(export_command.main, sys.argv[1:]))
