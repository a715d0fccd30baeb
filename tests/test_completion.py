"""Completion in a shell: what it offers for lines as they are typed, in a checkout and elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from plena_ref.workloads.registry import CASES
from tb.bench import completion, keys

REPO = Path(__file__).parents[1]
#: Ends of lines behind `make`, with something that is offered and something that is not.
LINES = [
    ("sw", {"sweep"}, {"sim", "TEST="}),
    ("sim TES", {"TEST="}, {"TEST", "sim"}),
    ("sim TEST=mha_b", {"mha_batch1", "mha_batch2"}, {"mha_ragged"}),
    ("sim SEQ=3 KERNEL=decode_attention_", {"decode_attention_blocks"}, {"decode_attention"}),
    ("run SIM=re", {"reference"}, {"verilator"}),
    ("sim sim=ic", {"icarus"}, {"verilator"}),
    ("run PROGRAM=Make", {"Makefile"}, {"README.md"}),
    ("run OUT=sc", {"scripts"}, {"sim"}),
    ("sim SEQ=", set(), {"mha"}),
]
BASH = """
source "$1"; COMP_LINE="$2"; COMP_POINT=${#COMP_LINE}; _plena_make; printf '%s\\n' "${COMPREPLY[@]}"
"""
# Functions of zsh's own stand in for those that work in a completion only.
ZSH = """
compdef() { :; }; compset() { PREFIX=${PREFIX#*=}; }; _make() { print others; }
offer() { local one; for one in "$@"; do [[ $one == $PREFIX* ]] && print -r -- $one; done; true }
compadd() { [[ $1 == -S ]] && shift 2; shift; offer "$@"; }
_files() { if [[ ${1-} == -/ ]]; then offer *(/); else offer *; fi; }
source $1; words=(${(z)2}); PREFIX=${2##* }; _plena_make
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "plena"
    path.write_text(completion.script())
    return path


def offered(shell: list[str], script: Path, line: str, folder: Path = REPO) -> list[str]:
    """What a shell offers at the end of a line."""
    return subprocess.run(
        [*shell, "shell", str(script), line], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.mark.parametrize(("line", "some", "none"), LINES)
def test_bash(script: Path, line: str, some: set[str], none: set[str]) -> None:
    found = set(offered(["bash", "--norc", "-c", BASH], script, f"make {line}"))
    assert some <= found and not none & found
    assert bool(found) == bool(some)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed: apt-get install zsh")
@pytest.mark.parametrize(("line", "some", "none"), LINES)
def test_zsh(script: Path, line: str, some: set[str], none: set[str]) -> None:
    found = set(offered(["zsh", "-f", "-c", ZSH], script, f"make {line}"))
    assert some <= found and not none & found


def test_elsewhere_nothing_is_offered(script: Path, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("# another\nall:\n")
    assert offered(["bash", "--norc", "-c", BASH], script, "make si", tmp_path) == []


def test_a_bash_that_does_not_divide_words_at_equals_signs(script: Path) -> None:
    undivided = f"COMP_WORDBREAKS=' '; {BASH}"
    found = offered(["bash", "--norc", "-c", undivided], script, "make sim TEST=mha_batch1")
    assert found == ["TEST=mha_batch1"]


def test_all_cases_are_offered(script: Path) -> None:
    assert set(offered(["bash", "--norc", "-c", BASH], script, "make sim TEST=")) == set(CASES)


def test_targets_are_those_of_the_makefile() -> None:
    """Those with keys, and those without: a target that one of the lists lacks is found."""
    text = (REPO / "Makefile").read_text()
    lists = {name: re.search(rf"^override {name} := (.*)$", text, re.MULTILINE) for name in ("KEYED", "BARE")}
    keyed, bare = (set(found[1].split()) for found in lists.values() if found)
    assert keyed == {name.split()[0] for name in keys.COMMANDS}
    assert bare == set(keys.TARGETS)
    assert set(re.findall(r"^([a-z]+):", text, re.MULTILINE)) == keyed | bare
