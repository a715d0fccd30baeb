"""The table of keys for people: on a terminal, and as the page docs/keys.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from plena_ref.workloads.families import FAMILIES
from tb.bench import keys
from tb.bench.keys import Key

BEGIN = "<!-- tables: python -m scripts.keys docs -->\n"
END = "<!-- end of tables -->\n"


def groups(command: str) -> Iterator[tuple[str, Sequence[Key]]]:
    """The keys of a command in groups, each with its title; the sizes of a case by its kernels."""
    if command != "sim":
        yield "", keys.COMMANDS[command].keys
        return
    machine, case = keys.machine_keys(), keys.case_keys()
    problems = {key.name for family in FAMILIES for key in keys.problem_keys(family)}
    elsewhere = {key.name for key in (*machine, *case)} | problems
    yield "run", [key for key in keys.COMMANDS["sim"].keys if key.name not in elsewhere]
    yield "case", case
    yield "machine; a registered case may have its own defaults", machine
    for family in FAMILIES:
        yield f"KERNEL={', '.join(family.kernels)}", keys.problem_keys(family)


def values(key: Key) -> str:
    """What a key takes, in a few words; long lists of names are not written out."""
    if isinstance(key.values, str):
        return key.values
    return ", ".join(key.values) if len(key.values) <= 6 else f"{len(key.values)} names"


def show(command: str, console: Console) -> None:
    """Print the keys of a command."""
    console.print(f"make {command.split()[0]}: {keys.COMMANDS[command].meaning}", highlight=False)
    for title, found in groups(command):
        table = Table("key", "default", "values", "meaning", title=title or None, title_justify="left")
        for key in found:
            table.add_row(f"{key.name}=", key.default, values(key), key.meaning)
        console.print(table)


def _markdown(found: Sequence[Key]) -> list[str]:
    rows = ["| key | default | values | meaning |", "|---|---|---|---|"]
    for key in found:
        shown = (key.name, key.default or "-", values(key), key.meaning)
        rows.append(f"| {' | '.join(text.replace('|', chr(92) + '|') for text in shown)} |")
    return rows


def page() -> str:
    """All tables as Markdown."""
    lines: list[str] = []
    for name, command in keys.COMMANDS.items():
        lines += ["", f"## make {name}", "", f"{command.meaning[0].upper()}{command.meaning[1:]}."]
        for title, found in groups(name):
            lines += ["", *([f"### {title}", ""] if title else []), *_markdown(found)]
    return "\n".join(lines) + "\n\n"


def with_tables(text: str) -> str:
    """A page with today's tables in their place."""
    head, rest = text.split(BEGIN)
    return head + BEGIN + page() + END + rest.split(END)[1]


def names(commands: Mapping[str, keys.Command]) -> list[str]:
    """The commands as they are typed, each once."""
    return list(dict.fromkeys(name.split()[0] for name in commands))
