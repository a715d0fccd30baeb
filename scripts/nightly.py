"""What is too slow for every change: ``python -m scripts.nightly [SEEDS=1,2,3] [SIMS=icarus]``.

Runs every system test that is not marked ``not_nightly`` on each further simulator, then on the default one
with unknown values drawn from each seed. Exits 0 when all pass, 1 when one fails, 2 when nothing was run.
"""

from __future__ import annotations

import sys

from tb.bench import command, keys, options
from tb.engine import environment, paths, processes, registry

#: Seconds that one simulation may take: nobody waits for a night, and its host may have other work.
_TIME_LIMIT = 3600


def plan(arguments: list[str]) -> list[dict[str, str]]:
    """The environment of each pass.

    Raises:
        UsageError: an option is unknown, or no list of seeds or simulators.
    """
    given = keys.given("nightly", arguments)
    default, *others = registry.SIMULATORS
    simulators = given.pop("SIMS", ",".join(others)).split(",")
    seeds = given.pop("SEEDS", "1,2,3").split(",")
    for name in simulators:
        if name not in registry.SIMULATORS:
            raise options.UsageError(f"SIMS={name}: there are {', '.join(registry.SIMULATORS)}")
    if not all(seed.isdigit() and 0 < int(seed) < 2**31 for seed in seeds):
        raise options.UsageError(f"SEEDS={','.join(seeds)}: numbers from 1 to {2**31 - 1}, with commas")
    return [{"SIM": name} for name in simulators] + [{"SIM": default, "X_SEED": seed} for seed in seeds]


def main(arguments: list[str]) -> int:
    """Run every pass, also after one that failed, and say at the end which did."""
    try:
        passes = plan(arguments)
    except options.UsageError as error:
        return options.fail(error)
    failed = []
    line = [sys.executable, "-m", "pytest", "-v", "-n", "2", "--dist", "worksteal"]
    line += ["--durations=10", "-m", "not not_nightly", "tb/system"]
    for settings in passes:
        title = " ".join(f"{name}={value}" for name, value in settings.items())
        print(f"== {title}", flush=True)
        made = environment.of_tests(paths.REPO, settings | {"SIM_TIMEOUT": str(_TIME_LIMIT)})
        if processes.run(line, paths.REPO, made, sys.stdout.buffer):
            failed.append(title)
    print("\n".join(f"FAIL: {title}" for title in failed) or "PASS")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
