"""Folders of runs: one for each set of options, the newest linked, the oldest removed, memories shared."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tb.runs import contents, kept, places, record


def made(runs: Path, test: str, age: int = 0, size: int = 1, **options: str) -> Path:
    """A run with one file of so many bytes, made so many seconds ago."""
    new = runs / "scratch-new"
    new.mkdir(parents=True)
    (new / "file.bin").write_bytes(os.urandom(size))
    place = places.folder(runs, test, options)
    places.install(new, place)
    places.link(runs, test, place)
    os.utime(place, (10**9 - age, 10**9 - age))
    return place


def test_each_set_of_options_has_its_folder(tmp_path: Path) -> None:
    first, second = made(tmp_path, "mha"), made(tmp_path, "mha", SEQ="20", MLEN="16")
    assert (first.name, second.name) == ("mha", "mha,MLEN=16,SEQ=20")
    assert (tmp_path / "mha").resolve() == second and first.is_dir()
    again = made(tmp_path, "mha")
    assert again == first and (tmp_path / "mha").resolve() == first


def test_names_that_no_folder_can_have_differ(tmp_path: Path) -> None:
    names = [places.label("mha", {"ASM": text}) for text in ("a/b.lst", "a_b.lst", "a b.lst", "x" * 300)]
    assert len(set(names)) == 4 and all(len(name) < 200 and "/" not in name for name in names)


def test_a_folder_where_the_link_is_to_be_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "mha").mkdir()
    (tmp_path / "mha" / "old").write_text("")
    place = made(tmp_path, "mha")
    assert (tmp_path / "mha").is_symlink() and (tmp_path / "mha").resolve() == place


def test_the_oldest_go_first(tmp_path: Path) -> None:
    runs = [made(tmp_path, f"case{number}", age=10 - number) for number in range(4)]
    assert kept.sweep(tmp_path, runs[3], keep=2) == [runs[1], runs[0]]
    assert sorted(path.name for path in tmp_path.glob("case*")) == ["case2", "case3"]
    assert kept.sweep(tmp_path, runs[3], keep=2) == []


def test_so_many_bytes_at_most_but_never_the_newest(tmp_path: Path) -> None:
    old, new = made(tmp_path, "old", age=5, size=600), made(tmp_path, "new", size=2000)
    assert kept.sweep(tmp_path, new, most=2700) == []
    assert kept.sweep(tmp_path, new, most=2500) == [old] and new.is_dir()
    assert kept.sweep(tmp_path, new, most=10) == []


def test_equal_contents_lie_on_disk_once(tmp_path: Path) -> None:
    files = []
    for name in "ab":
        file = made(tmp_path, name) / "vram.bin"
        file.write_bytes(b"same")
        contents.share(file, tmp_path)
        files.append(file)
    assert files[0].stat().st_ino == files[1].stat().st_ino and files[1].read_bytes() == b"same"
    assert not files[0].stat().st_mode & 0o222, "what is shared must not be written"
    assert len(list((tmp_path / contents.CONTENTS).iterdir())) == 1
    kept.sweep(tmp_path, files[1].parent, keep=1)
    assert files[1].exists() and len(list((tmp_path / contents.CONTENTS).iterdir())) == 1
    files[1].unlink()
    contents.sweep(tmp_path)
    assert list((tmp_path / contents.CONTENTS).iterdir()) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "holds no run"),
        ("{", "damaged"),
        ('{"schema": 0}', "version 0"),
        ('{"schema": 2}', "damaged"),
    ],
)
def test_a_folder_that_is_no_run_is_refused(text: str | None, why: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / record.RECORD).write_text(text)
    with pytest.raises(record.RecordError, match=why):
        record.read(tmp_path)
