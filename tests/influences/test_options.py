"""Options that a run cannot follow are refused, each with its name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.isa.machine_code import write_program
from tb.bench import case_command, program_command
from tests.influences.checkout import REPO, make
from tests.influences.rows import row

_OPTIONS = "Options"
_RTL_ONLY = (
    *(
        "LATENCY=5",
        "JITTER=1",
        "BEATS=1/2",
        "SEED=2",
        "WAVES=1",
        "WAVES_FROM=9",
        "WATCHDOG=9",
        "DRAIN_LIMIT=9",
        "X_SEED=1",
    ),
)


@row(
    _OPTIONS,
    "`SIM=reference` with `LATENCY`, `JITTER`, `SEED`, `WAVES`, `WATCHDOG`, `DRAIN_LIMIT` or another of RTL",
    "refused: the reference machine has no clock and no bus",
)
@pytest.mark.parametrize("option", _RTL_ONLY)
def test_what_the_reference_machine_has_not(option: str, tmp_path: Path, capsys) -> None:
    write_program(tmp_path / "p.mem", [0x34])
    arguments = [f"PROGRAM={tmp_path / 'p.mem'}", f"OUT={tmp_path / 'out'}", "SIM=reference", option]
    assert program_command.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {option.split('=')[0]}= means nothing to SIM=reference"), error
    assert not (tmp_path / "out").exists()


@row(
    _OPTIONS,
    "an endless loop with `SIM=reference`",
    "ends after `MAX_INSTRUCTIONS`, where that is given, with exit status 1 and no files; refused elsewhere",
)
def test_an_endless_loop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loop = "C_LOOP_START gp1, 4000000\nC_LOOP_START gp2, 4000000\nS_ADDI_INT gp3, gp3, 1\nC_LOOP_END gp2\n"
    write_program(tmp_path / "p.mem", assemble(loop + "C_LOOP_END gp1"))
    arguments = [f"PROGRAM={tmp_path / 'p.mem'}", f"OUT={tmp_path / 'out'}", "MAX_INSTRUCTIONS=1000"]
    assert program_command.main([*arguments, "SIM=reference"]) == 1
    assert capsys.readouterr().err.startswith("error: no stop within 1000 instructions")
    assert not (tmp_path / "out").exists()
    assert program_command.main(arguments) == 2
    assert "MAX_INSTRUCTIONS= is for SIM=reference" in capsys.readouterr().err


@row(_OPTIONS, "`LOOP_DEPTH=1` for a kernel with nested loops", "one `error:` line with the rule")
def test_a_machine_with_too_few_loops(capsys: pytest.CaptureFixture[str]) -> None:
    assert case_command.main(["TEST=mha_batch2", "LOOP_DEPTH=1"]) == 2
    expected = "error: mha_batch2: loops nest deeper than LOOP_DEPTH = 1\n"
    assert capsys.readouterr().err == expected


@row(_OPTIONS, "an option twice", "refused")
def test_an_option_twice(capsys: pytest.CaptureFixture[str]) -> None:
    assert case_command.main(["TEST=mha_batch2", "SEED=1", "seed=2"]) == 2
    assert capsys.readouterr().err == "error: SEED= stands twice\n"


@row(
    _OPTIONS,
    "an option that a target of `make` does not know (`make test SIM=icarus`, `make synth MLEN=8`)",
    "refused by every target, none is dropped",
)
def test_an_option_that_a_target_does_not_know(checkout: Path) -> None:
    for target in ("test", "clean"):
        result = make(checkout, target, "NONE=it's $HOME")
        assert result.returncode == 2 and result.stderr.startswith("error: NONE=it's $HOME: "), result.stderr
    # The others hand it to their programs, which refuse it: test_command_lines.py.
    targets = set(re.findall(r"^(\w+):.*## ", (REPO / "Makefile").read_text(), re.MULTILINE))
    for target in sorted(targets - {"help", "test", "clean"}):
        assert "NONE=x" in make(checkout, "-n", target, "NONE=x").stdout, target


def test_a_seed_that_a_simulator_has_no_use_for(capsys: pytest.CaptureFixture[str]) -> None:
    """With four states unknown values stay unknown."""
    assert case_command.main(["TEST=mha_batch2", "SIM=icarus", "X_SEED=3"]) == 2
    expected = "error: X_SEED= means nothing to SIM=icarus, which draws no values for unknown ones\n"
    assert capsys.readouterr().err == expected
