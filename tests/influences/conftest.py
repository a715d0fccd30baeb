"""What the tests of outside influences share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from plena_ref.isa.machine_code import write_program
from tests.influences import checkout as checkouts


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout to call make in."""
    return checkouts.lay_out(tmp_path / "checkout")


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a program that stops at once, under a name in the test's folder."""

    def write(name: str) -> Path:
        write_program(tmp_path / name, [0x34])
        return tmp_path / name

    return write
