"""List every key of every command with its default: ``python -m scripts.keys [COMMAND=sim]``.

``python -m scripts.keys docs`` writes the tables of docs/keys.md.
"""

from __future__ import annotations

import functools
import shutil
import sys

from tb.bench import command, key_tables, keys, options, words
from tb.engine import paths

DOCUMENT = paths.REPO / "docs" / "keys.md"


def main(arguments: list[str]) -> int:
    """Print the keys of one command, or of all, and return the exit status."""
    if arguments == ["docs"]:
        DOCUMENT.write_text(key_tables.with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    try:
        given = keys.given("keys", arguments)
        known = key_tables.names(keys.COMMANDS)
        wanted = given.get("COMMAND")
        if wanted is not None and wanted not in known:
            raise options.UsageError(f"COMMAND={wanted} is unknown; {words.advice(wanted, known)}")
    except options.UsageError as error:
        return options.fail(error)
    chosen = [name for name in keys.COMMANDS if wanted in (None, name.split()[0])]
    width = max(shutil.get_terminal_size((110, 24)).columns, 100)
    for name in chosen:
        command.show(functools.partial(key_tables.show, name), width)
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
