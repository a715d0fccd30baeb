"""The tutorial docs/your_kernel.md: its files and commands as they stand there; files that are no kernel."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import explain
from tb.bench import case_command
from tb.engine import simulate

PAGE = (Path(__file__).parents[1] / "docs" / "your_kernel.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`(\w+\.py)`:.*?```python\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^    make (sim|explain) (.*)$", PAGE, re.MULTILINE)
MAINS: dict[str, Callable[[list[str]], int]] = {"sim": case_command.main, "explain": explain.main}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page, in which commands run."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(case_command, "RUNS", tmp_path / "runs")
    return tmp_path


def test_the_page_has_files_and_commands() -> None:
    assert set(FILES) == {"add.py", "norm.py"} and len(COMMANDS) == 4


@pytest.mark.parametrize(("command", "words"), COMMANDS)
def test_a_command_of_the_page(
    command: str, words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulate.require("icarus")
    assert MAINS[command](shlex.split(words)) == 0
    said = capsys.readouterr().out
    assert "\nPASS\n" in said if command == "sim" else "loop 24 x: result = x + y" in said


def test_a_kernel_that_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The fault of the page: FAIL, and bit-exact."""
    simulate.require("icarus")
    text = FILES["norm.py"]
    assert text.count("S_RECI_FP") == 1
    (folder / "norm.py").write_text(re.sub(r".*S_RECI_FP.*\n", "", text))
    assert case_command.main("KERNEL=./norm.py FEATURES=8 MLEN=8 BLEN=4 SIM=icarus".split()) == 1
    said = capsys.readouterr().out
    assert "bit-exact with the reference machine: yes" in said and "\nFAIL" in said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (FILES["norm.py"].replace("range(3)", "rang(3)"), "line 7: NameError: name 'rang' is not defined"),
        ("class", "line 1: SyntaxError: invalid syntax"),
        ("x = 1\n", "0 classes are derived from OwnProblem; one must be"),
        (FILES["add.py"].replace("def golden", "def gold"), "Add has no golden"),
    ],
)
def test_files_that_are_no_kernel(
    text: str, why: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "norm.py").write_text(text)
    assert case_command.main(["KERNEL=./norm.py", "FEATURES=8"]) == 2
    assert capsys.readouterr().err.startswith(f"error: KERNEL=./norm.py: {why}")
    assert case_command.main(["KERNEL=./none.py"]) == 2
    assert capsys.readouterr().err == "error: KERNEL=./none.py: no such file\n"


def test_keys_of_a_kernel_from_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert case_command.main(["KERNEL=./add.py", "FEATURES=8", "HEADS=2"]) == 2
    assert "KERNEL = ./add.py has no HEADS" in capsys.readouterr().err
    assert case_command.main(["KERNEL=./add.py"]) == 2
    assert "KERNEL = ./add.py needs FEATURES" in capsys.readouterr().err
