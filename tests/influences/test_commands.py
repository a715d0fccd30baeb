"""Every command is run by tb/bench/command.py, and whatever it starts ends with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.influences.checkout import REPO
from tests.influences.rows import row

#: What `command.run` does not run.
OTHERS = {
    "scripts/gen_float_tables.py": "writes one file of this tree, and starts nothing",
    "scripts/result_document.py": "writes one page of this tree, and starts nothing",
    "scripts/untyped.py": "prints a count",
    "scripts/word.py": "prints a line",
    "tb/engine/guard.py": "is what ends the others",
    "tb/sweep/child.py": "ends with the sweep that reads its answer",
}
#: What starts a process without the guard.
UNGUARDED = {
    "scripts/open_waves.py": "a viewer, which the person ends",
    "tb/engine/processes.py": "starts the guard",
    "tb/engine/tools.py": "asks for a version",
    "tb/sweep/local.py": "starts the child, which ends with the sweep",
    "tb/sweep/remote.py": "starts the child, which ends with the sweep",
}
#: What gives a process this one's own environment.
INHERITING = {
    "scripts/open_waves.py": "a viewer, on the display of the person",
    "tb/sweep/local.py": "the child takes out of it what would change a run, as on another host",
    "tb/sweep/remote.py": "the child takes out of it what would change a run",
}
_RUNS = re.compile(r"\b(?:return |sys\.exit\()(?:command\.)?run\(")
_STARTS = re.compile(
    r"subprocess\.(?:run|Popen|call|check_\w+)\(|create_subprocess_exec\(|os\.(?:system|popen)\("
)
_COPIES = re.compile(
    r"\*\*os\.environ\b|\bdict\(os\.environ\)|\bos\.environ\.copy\(|=\s*os\.environ\b(?![.\[])"
)


def modules(root: Path) -> Iterator[tuple[str, str]]:
    """Name and text of every module that is no test, or is a command too."""
    for folder in ("scripts", "tb"):
        for path in sorted((root / folder).rglob("*.py")):
            if path.name == "test_fuzz.py" or not path.name.startswith(("test_", "cocotb_")):
                yield str(path.relative_to(root)), path.read_text(encoding="utf-8")


def not_run(root: Path) -> set[str]:
    """Modules that one can start, and whose main function `command.run` does not run."""
    startable = {name: text for name, text in modules(root) if '__name__ == "__main__"' in text}
    return {name for name, text in startable.items() if not _RUNS.search(text)}


def unguarded(root: Path) -> set[str]:
    """Modules that start processes themselves."""
    return {name for name, text in modules(root) if _STARTS.search(text)}


def inheriting(root: Path) -> set[str]:
    """Modules that start processes without a word on their environment, or with a copy of this one's own."""
    return {
        name
        for name, text in modules(root)
        if _COPIES.search(text) or (_STARTS.search(text) and "env=" not in text)
    }


@row(
    "Signals and litter",
    "Ctrl-C, SIGTERM, SIGHUP or SIGKILL during another command (`make chat`, `bench`, `sweep`, `synth`)",
    "as during a simulation: every command is run by `tb/bench/command.py` and starts others under the guard",
)
def test_every_command_ends_what_it_starts() -> None:
    assert not_run(REPO) == set(OTHERS), "use tb.bench.command.run, or say here why not"
    assert unguarded(REPO) == set(UNGUARDED), "use tb/engine/processes.py, or say here why not"


def test_every_process_has_an_environment_that_is_made() -> None:
    assert inheriting(REPO) == set(INHERITING), "use tb/engine/environment.py, or say here why not"


def test_a_command_that_does_not_is_found(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    guarded = 'import x\nif __name__ == "__main__":\n    sys.exit(command.run(main, sys.argv[1:]))\n'
    (tmp_path / "scripts" / "good.py").write_text(guarded)
    (tmp_path / "scripts" / "bad.py").write_text('if __name__ == "__main__":\n    sys.exit(main())\n')
    (tmp_path / "scripts" / "start.py").write_text("subprocess.run(['sleep', '9'])\n")
    (tmp_path / "scripts" / "copies.py").write_text("run(line, folder, {**os.environ, 'A': 'b'})\n")
    (tmp_path / "scripts" / "made.py").write_text("run(line, folder, made({'A': os.environ['A']}))\n")
    assert not_run(tmp_path) == {"scripts/bad.py"}
    assert unguarded(tmp_path) == {"scripts/start.py"}
    assert inheriting(tmp_path) == {"scripts/start.py", "scripts/copies.py"}
