"""The table of keys: commands take what it lists, with its defaults, and refuse the rest with advice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plena_ref.workloads.case import Case
from plena_ref.workloads.registry import CASES
from scripts import diff_runs, list_cases, nightly, open_waves, word
from scripts import explain as explain_command
from scripts import keys as keys_command
from tb.bench import case_command, case_list, key_tables, keys, options, program_command, replay_command
from tb.bench import command as runner
from tb.bench.attributes import meanings
from tb.chat import command as chat_command
from tb.chat import settings
from tb.peer import build_command
from tb.sweep import choice
from tb.sweep import command as sweep_command
from tb.sweep.matrix import SETS, load
from tests.influences.checkout import REPO, lay_out, make

MAINS = {
    "sim": case_command.main,
    "replay": replay_command.main,
    "run": program_command.main,
    "run BUILD=": lambda arguments: build_command.main(["BUILD=nowhere", *arguments]),
    "chat": chat_command.main,
    "sweep": sweep_command.main,
    "nightly": nightly.main,
    "waves": open_waves.main,
    "list": list_cases.main,
    "explain": explain_command.main,
    "diff": diff_runs.main,
    "keys": keys_command.main,
}


def test_the_page_is_that_of_the_table() -> None:
    text = keys_command.DOCUMENT.read_text(encoding="utf-8")
    assert text == key_tables.with_tables(text), "run `python -m scripts.keys docs`"


def test_every_command_has_its_keys_in_the_table() -> None:
    assert {*MAINS, "test"} == set(keys.COMMANDS)


@pytest.mark.parametrize("command", MAINS)
def test_a_key_that_a_command_does_not_know(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    known = keys.COMMANDS[command].keys[0].name
    assert runner.run(MAINS[command], [f"{known}X=1", f"OUT={Path('nowhere')}"]) == 2
    error = capsys.readouterr().err
    assert error == f"error: {known}X= is unknown; did you mean {known}=?\n"


@pytest.mark.parametrize("command", MAINS)
def test_a_word_that_is_no_key(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.run(MAINS[command], ["mha_raged"]) == 2
    expected = "error: 'mha_raged' is not of the form KEY=VALUE; did you mean TEST=mha_ragged?\n"
    assert capsys.readouterr().err == expected


def test_a_case_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert case_command.main(["TEST=mha_batch3"]) == 2
    assert capsys.readouterr().err == "error: TEST=mha_batch3 is unknown; did you mean TEST=mha_batch2?\n"


def test_defaults_of_runs() -> None:
    """Without options a run has the defaults of the table."""
    run = options.take_run_options({})
    for key in keys.COMMANDS["run"].keys:
        if key.name in options.RUN_OPTIONS:
            value = getattr(run, key.name.lower())
            assert key.default == (
                "none" if value is None else str(int(value) if key.name != "SIM" else value)
            )


def test_defaults_of_programs(tmp_path: Path) -> None:
    request = program_command._parse([f"PROGRAM={tmp_path}", "OUT=x"])
    table = {key.name: key.default for key in keys.COMMANDS["run"].keys}
    for name in ("seed", "watchdog", "drain_limit", "unwritten"):
        assert table[name.upper()] == str(int(getattr(request.how, name)))
    assert request.how.max_instructions is None and table["MAX_INSTRUCTIONS"] == "none"
    for name in ("mlen", "blen", "vram_elems", "hbm_bytes", "element", "dispatch_width"):
        assert table[name.upper()] == str(getattr(request.hardware, name))
    assert table["VSTORE"] == "BLEN" and table["HLEN"] == "MLEN"


def test_defaults_of_a_chat() -> None:
    given = settings.parse(["PROMPT=a"])
    table = {key.name: key.default for key in keys.COMMANDS["chat"].keys}
    assert table["TOKENS"] == str(given.tokens) and table["SEED"] == str(given.seed)
    assert float(table["TEMPERATURE"]) == given.temperature and table["SIM"] == given.simulator
    hw = given.hardware
    assert (table["MLEN"], table["HBM_BYTES"]) == (str(hw.mlen), str(hw.hbm_bytes))
    assert table["VRAM_ELEMS"] == str(hw.vram_elems)


def test_defaults_of_a_sweep() -> None:
    given = choice.parse(["QUICK=1"])
    table = {key.name: key.default for key in keys.COMMANDS["sweep"].keys}
    assert table["WAIT"] == str(given.wait) and given.limit == 0 and given.scheduler is None
    assert Path(given.matrix_name).match(table["MATRIX"])
    assert table["SET"] == next(iter(SETS)) and {key.name for key in keys.COMMANDS["sweep"].keys} == {
        *(axis.upper() for file in SETS.values() for axis in load(file).axes),
        *keys.SWEEP_OPTIONS,
    }


def test_defaults_of_the_nightly_run() -> None:
    seeds, simulators = (key.default.split(",") for key in keys.COMMANDS["nightly"].keys)
    default = options.RunOptions.sim
    assert nightly.plan([]) == [{"SIM": name} for name in simulators] + [
        {"SIM": default, "X_SEED": seed} for seed in seeds
    ]


def test_every_key_has_a_meaning() -> None:
    """A field that the docstring of its class does not describe is found."""
    lacking = {key.name for command in keys.COMMANDS.values() for key in command.keys if not key.meaning}
    assert lacking == set()
    assert meanings(Case)["seed"] == "of the inputs."


def test_a_list_of_cases() -> None:
    found = case_list.matching([*CASES.values()], "Causal 16/4")
    assert found and all(case.hardware.mlen == 16 and "causal" in case_list.row(case)[3] for case in found)
    assert case_list.matching([*CASES.values()], "") == [*CASES.values()]


def test_make_refuses_words(tmp_path: Path) -> None:
    """A word that make would take for a target: nothing runs, and the error says what was meant."""
    checkout = lay_out(tmp_path / "checkout")
    for arguments, meant in (
        (["sim", "mha_ragged"], "'mha_ragged' is no target and no KEY=VALUE; did you mean TEST=mha_ragged?"),
        (["smi"], "'smi' is no target and no KEY=VALUE; did you mean sim?"),
        (["clean", "TEST=a"], "TEST=a: make clean takes no options"),
        (["test", "TSET=a"], "TSET=a: make test takes PYTEST= alone"),
        (["list", "x';touch${IFS}broken;'"], "'x';touch${IFS}broken;'' is no target and no KEY=VALUE"),
    ):
        result = make(checkout, *arguments)
        assert result.returncode == 2 and result.stdout == ""
        assert result.stderr.splitlines()[0] == f"error: {meant}"
    assert not (checkout / "broken").exists()


def test_words_are_compared_with_targets_first() -> None:
    assert word.complaint("swep", ["sim", "sweep"]).endswith("did you mean sweep?")
    assert word.complaint("qqqq", ["sim"]) == "error: 'qqqq' is no target and no KEY=VALUE"


def test_no_key_is_a_variable_of_the_makefile() -> None:
    """Such a key would reach no command: the variable of the Makefile wins over the command line."""
    own = re.findall(r"^(?:override )?(\w+) :?= ", (REPO / "Makefile").read_text(), re.MULTILINE)
    typed = {key.name for one in keys.COMMANDS.values() for key in one.keys}
    assert len(own) > 8 and not typed & {name.upper() for name in own}
