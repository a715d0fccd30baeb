"""Named faults that the bench must catch: one exact substitution in a copy of the source tree, then one case.

The faults of the Python side are data in tests/mutants_python.py; those of the RTL are here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tb import simulate
from tests.mutants_python import PYTHON_MUTANTS

_TREE = ("rtl", "tb", "plena_ref", "scripts")


class MutantError(ValueError):
    """A mutant that does not apply: its text is not exactly once in its file."""


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        name: how it is called.
        file: repository-relative path.
        old: exact text, once in the file.
        new: what replaces it.
        case: the case that must fail.
        reason: text that the report of the failing case contains.
        overrides: options of the case, (KEY, value).
    """

    name: str
    file: str
    old: str
    new: str
    case: str
    reason: str
    overrides: tuple[tuple[str, str], ...] = ()


RTL_MUTANTS = (
    Mutant(
        name="accumulator not cleared at write-out",
        file="rtl/matrix/matrix_unit.sv",
        old="if (init || turn) fresh <= 1'b1;",
        new="if (init) fresh <= 1'b1;",
        case="mha_ragged",
        reason="batch 0: ",
    ),
    Mutant(
        name="scale register ignored",
        file="rtl/frontend/address_check.sv",
        old="assign s_offset = {32'd0, scale} + ({32'd0, gp_rs1} >> LX);",
        new="assign s_offset = {32'd0, gp_rs1} >> LX;",
        case="mha_ragged",
        reason="batch 0: ",
    ),
    Mutant(
        name="matrix instructions do not wait for their tile",
        file="rtl/frontend/scoreboard.sv",
        old="(h_t[i] && n_t_read && n_tile == h_tile[i]) ||",
        new="",
        case="mha_ragged",
        reason="not bit-exact",
    ),
    Mutant(
        name="bank of a VRAM write without its hash",
        file="rtl/memory/vram.sv",
        old="assign wr_bank[w*3+:3] = bank_of(wr_row[w*VRW+:VRW]);",
        new="assign wr_bank[w*3+:3] = 3'(wr_row[w*VRW+:VRW]);",
        case="mha_ragged",
        reason="not bit-exact: VRAM",
    ),
    Mutant(
        name="loop body once too often",
        file="rtl/frontend/frontend.sv",
        old="assign loop_again = gp_rd > 32'd1;",
        new="assign loop_again = gp_rd > 32'd0;",
        case="mha_ragged",
        reason="the reference machine with stopped",
    ),
)

MUTANTS = RTL_MUTANTS + tuple(
    Mutant(fault.name, fault.file, fault.old, fault.new, fault.case, fault.reason, fault.overrides)
    for fault in PYTHON_MUTANTS
)


def mutated(mutant: Mutant, text: str) -> str:
    """The text of the mutant's file with the fault in it.

    Raises:
        MutantError: the old text is not there exactly once.
    """
    count = text.count(mutant.old)
    if count != 1:
        raise MutantError(f"{mutant.name}: {mutant.file} has its text {count} times, not once")
    return text.replace(mutant.old, mutant.new)


@contextmanager
def tree_with(mutant: Mutant | None) -> Iterator[Path]:
    """A copy of the source tree with the fault in it (without one: None), removed afterwards.

    The copy shares the cache of models, whose names depend on the text of the sources.
    """
    models = simulate.BUILD / "models"
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutant-", dir=simulate.BUILD) as name:
        root = Path(name)
        for part in _TREE:
            shutil.copytree(simulate.REPO / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        (root / "build").mkdir()
        (root / "build" / "models").symlink_to(models)
        if mutant is not None:
            file = root / mutant.file
            file.write_text(mutated(mutant, file.read_text()))
        yield root


def run_case(root: Path, case: str, overrides: tuple[tuple[str, str], ...] = ()) -> tuple[int, str]:
    """Run a case with the sources in ``root`` on Verilator; its exit status and what it printed."""
    options = [f"{key}={value}" for key, value in (("TEST", case), ("SIM", "verilator"), *overrides)]
    result = subprocess.run(
        [sys.executable, "-m", "scripts.run_case", *options],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    return result.returncode, result.stdout
