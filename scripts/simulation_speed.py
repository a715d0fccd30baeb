"""Simulated cycles a second of this tree by those of another commit: ``python -m scripts.simulation_speed``.

``COMMIT=8c97ea0 ROUNDS=10``: the other tree comes from git into a scratch folder. Both run the same programs
in turn, each as one types it, with the environment and the compiler of this process. Of each the best run
counts: what else a host does only ever takes cycles away. Prints a table; exits 2 where a run fails.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tb.bench import command, options
from tb.engine import environment, paths, processes, scratch

#: The commit before kernels and machine were changed for attention at length.
COMMIT = "8c97ea0"
ROUNDS = 10
#: Attention and a linear layer, at 64/16 and 16/4, of at least 100,000 cycles. The plain form is the same
#: program on both sides, whatever kernels and schedules have become.
PROGRAMS = (
    "TEST=mha_causal_tiles KERNEL=plain_attention SEQ=512",
    "TEST=linear SEQ=320",
    "TEST=mha_ragged KERNEL=plain_attention SEQ=200",
    "TEST=linear_16x4 SEQ=32",
)
_FILES = re.compile(r"^files: (.*)$", re.MULTILINE)


class SpeedError(RuntimeError):
    """The other tree could not be had, or a run does not say what it did."""


@dataclass
class Speed:
    """Simulated cycles a second of one program: the best run of each tree."""

    program: str
    then: float = 0.0
    now: float = 0.0

    @property
    def ratio(self) -> float:
        """This tree's by that of the other commit."""
        return self.now / self.then


def _run(tree: Path, environ: dict[str, str], program: str) -> float:
    """Simulated cycles a second of a case that is run as one types it.

    Raises:
        CommandError: it did not pass.
        SpeedError: it does not say where its files are.
    """
    line = (sys.executable, "-m", "scripts.run_case", *program.split(), "SIM=verilator")
    found = _FILES.search(processes.output(line, tree, environ))
    if found is None:
        raise SpeedError(f"{' '.join(line)} in {tree} does not say where its files are")
    result = json.loads((tree / found[1] / "result.json").read_text())
    return float(result["cycles"] / result["sim_seconds"])


def find(commit: str = COMMIT) -> str:
    """The whole name of a commit.

    Raises:
        SpeedError: there is no such commit, no repository, or no git.
    """
    line = ("git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    status, printed = processes.captured(line, paths.REPO, environment.made())
    if status != 0:
        raise SpeedError(f"COMMIT={commit}: {paths.REPO} is no git repository that has this commit")
    return printed.strip()


def _other_tree(place: Path, commit: str) -> Path:
    """The tree of a commit, in a folder of `place`; errors as in :func:`find`."""
    made, tree, wanted = environment.made(), place / "then", find(commit)
    processes.output(["git", "clone", "--quiet", "--no-checkout", str(paths.REPO), str(tree)], place, made)
    processes.output(["git", "checkout", "--quiet", "--detach", wanted], tree, made)
    return tree


def measure(commit: str = COMMIT, rounds: int = ROUNDS) -> list[Speed]:
    """Run all programs on both trees in turn, `rounds` times.

    Raises:
        SpeedError: there is no such commit.
        CommandError: a run did not pass.
    """
    speeds = [Speed(program) for program in PROGRAMS]
    with scratch.folder(paths.BUILD, "speed") as place:
        tree = _other_tree(place, commit)
        then = environment.of_command(tree, {"PLENA_BUILD": str(tree / "build")})
        now = environment.of_command(paths.REPO)
        for _ in range(rounds):
            for speed in speeds:
                speed.then = max(speed.then, _run(tree, then, speed.program))
                speed.now = max(speed.now, _run(paths.REPO, now, speed.program))
    return speeds


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 2 when the other tree or a run fails."""
    try:
        given = options.parse(arguments)
        commit = given.pop("COMMIT", COMMIT)
        rounds = options.take_integer(given, "ROUNDS", ROUNDS, 1, 1000)
        if given:
            raise options.UsageError(f"unknown option {next(iter(given))}; there are COMMIT, ROUNDS")
        speeds = measure(commit, rounds)
    except (options.UsageError, SpeedError, processes.CommandError) as error:
        return options.fail(error)
    lines = [f"| program | {commit}, cycles/s | now | ratio |", "|---|---|---|---|"]
    lines += [f"| `{s.program}` | {s.then:,.0f} | {s.now:,.0f} | {s.ratio:.2f} |" for s in speeds]
    Console().print("\n".join(lines), markup=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
