"""Where a checkout lies, from where `make` is called, and what files are called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tb.engine import paths
from tests.influences.checkout import REPO, make
from tests.influences.rows import row

_PLACES = "Places and names"


@row(
    _PLACES,
    "a checkout whose path has a space, `&`, `$`, `'`, `#`, `:`, `=`, `(`, `;`, a backslash or non-ASCII "
    "letters",
    "one `error:` line before anything is written, from `make` and from `python -m`: makefiles of compilers "
    "cannot bear them; `,`, `~`, `@`, `+` work",
)
@pytest.mark.parametrize("character", [*" &$'#:=(;\\", "é"])
def test_characters_that_are_refused(character: str, tmp_path: Path) -> None:
    place = tmp_path / f"a{character}b"
    place.mkdir()
    (place / "Makefile").write_bytes((REPO / "Makefile").read_bytes())
    result = make(place, "sim")
    assert result.returncode == 2 and result.stderr.startswith("error: "), result.stderr
    assert str(place) in result.stderr.splitlines()[0]
    assert [path.name for path in place.iterdir()] == ["Makefile"]
    with pytest.raises(paths.PlaceError, match="cannot bear"):
        paths.check(place)


@pytest.mark.parametrize("character", [" ", "é"])
def test_python_in_an_odd_place(character: str, tmp_path: Path) -> None:
    place = tmp_path / f"a{character}b"
    for name in ("plena_ref", "tb", "scripts"):
        shutil.copytree(REPO / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    before = sorted(place.rglob("*"))
    result = subprocess.run(
        [sys.executable, "-B", "-m", "scripts.run_case"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2 and result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith(f"error: {place} holds a character"), result.stderr
    assert sorted(place.rglob("*")) == before


def test_characters_that_work(checkout: Path, tmp_path: Path, program: Callable[[str], Path]) -> None:
    place = tmp_path / "a,b~c@d+e"
    checkout.rename(place)
    paths.check(place)
    options = [f"PROGRAM={program('p.mem')}", f"OUT={tmp_path / 'out'}", "SIM=reference"]
    result = make(place, "run", *options)
    assert result.returncode == 0, result.stderr


@row(_PLACES, "`make -f /elsewhere/Makefile`", "works: paths on the command line are those of the caller")
def test_make_from_elsewhere(checkout: Path, program: Callable[[str], Path], tmp_path: Path) -> None:
    program("p.mem")
    result = make(checkout, "run", "PROGRAM=p.mem", "OUT=out", "SIM=reference", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "stats.json").exists()


@row(
    _PLACES,
    "`PROGRAM`, `OUT` and images with spaces, quotes, `$`, `;`, `#`, `&`, `(`, non-ASCII letters",
    "work: each is one word, and none is executed",
)
@pytest.mark.parametrize("name", ["a b", "it's", 'say "x"', "$HOME", "a;touch broken", "a#b", "a&b", "(é)"])
def test_names_of_files(name: str, checkout: Path, program: Callable[[str], Path], tmp_path: Path) -> None:
    path = program(f"{name}.mem")
    (tmp_path / f"{name}.bin").write_bytes(bytes(2))
    options = [f"PROGRAM={path}", f"OUT={tmp_path / name}", f"VRAM={tmp_path / name}.bin", "SIM=reference"]
    result = make(checkout, "run", *options, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / name / "stats.json").exists() and not (tmp_path / "broken").exists()


@row(_PLACES, "`TEST` with quotes and `;`", "refused by name; nothing is executed")
def test_a_name_that_is_a_command(checkout: Path, tmp_path: Path) -> None:
    result = make(checkout, "sim", "TEST=x'; touch broken; '", folder=tmp_path)
    assert result.returncode == 2 and result.stderr.startswith("error: TEST=x'; touch broken; ' is unknown")
    assert not (tmp_path / "broken").exists()


_RECORDER = """#!/bin/sh
echo "$@" >> calls
case "$1 $2" in
  "-m venv") mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
esac
"""


@row(
    _PLACES,
    "a checkout that was copied or moved with its `.venv`",
    "the environment is made anew in its own place, by its own python; one that is a link is taken as it is",
)
def test_a_copied_checkout(checkout: Path, tmp_path: Path) -> None:
    (checkout / ".venv").unlink()
    recorder = tmp_path / "python"
    recorder.write_text(_RECORDER)
    recorder.chmod(0o755)
    assert make(checkout, "ready", f"PYTHON={recorder}").returncode == 0
    made = (checkout / "calls").read_text().splitlines()
    assert made[0] == f"-m venv --clear {checkout}/.venv" and made[1].startswith("-m pip install ")
    assert make(checkout, "ready", f"PYTHON={recorder}").returncode == 0
    assert (checkout / "calls").read_text().splitlines() == made, "nothing to do"
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(checkout), str(copy)], check=True)
    assert make(copy, "ready", f"PYTHON={recorder}").returncode == 0
    assert f"-m venv --clear {copy}/.venv" in (copy / "calls").read_text()


@row(
    _PLACES,
    "a checkout, or a `PLENA_BUILD`, that cannot be written",
    "one `error:` line; `PLENA_BUILD` names another folder for everything that is built",
)
def test_a_build_folder_that_cannot_be_written() -> None:
    command = [sys.executable, "-m", "scripts.run_case", "TEST=mha_batch2_sub64"]
    environment = {**os.environ, "PLENA_BUILD": "/dev/null/build"}
    result = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 2 and result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("error: /dev/null/build"), result.stderr
