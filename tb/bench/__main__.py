"""``plena-sim sim TEST=.. [KEY=VALUE ..]`` and ``plena-sim run PROGRAM=.. OUT=.. [KEY=VALUE ..]``.

What ``make sim``, ``make replay`` and ``make run`` do, where the bench is installed as a package.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tb.bench import case_command, command, options, program_command, replay_command

COMMANDS = {"sim": case_command.main, "replay": replay_command.main, "run": program_command.main}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names; return the exit status."""
    name, *arguments = (sys.argv[1:] if argv is None else argv) or [""]
    if name not in COMMANDS:
        print(__doc__.split("\n", 1)[0] if __doc__ else "")
        return 0 if name in ("-h", "--help") else options.fail(f"there is no command '{name}'")
    return command.run(COMMANDS[name], arguments)


if __name__ == "__main__":
    sys.exit(main())
