"""KEY=VALUE command lines, as the Makefile passes them on, and the options that every run takes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction

from plena_ref.machine.hardware import Hardware
from tb.bench import wave_places, words
from tb.bench.job import DEFAULT_LATENCY, FULL_RATE, RATE_CYCLES_MAX
from tb.engine import registry, simulate

#: The parameters of the machine by key.
HARDWARE = {field.name.upper(): field for field in fields(Hardware)}


class UsageError(ValueError):
    """A command line that cannot be understood; the message says why."""


def parse(arguments: Iterable[str]) -> dict[str, str]:
    """Return the KEY=VALUE arguments as a dictionary; keys in capitals, empty values left out.

    Raises:
        UsageError: an argument has no '=', or a key stands twice.
    """
    options: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            # Here, because the table of keys imports this module.
            from tb.bench.keys import word_advice

            raise UsageError(f"'{argument}' is not of the form KEY=VALUE{word_advice(argument)}")
        if key.upper() in options:
            raise UsageError(f"{key.upper()}= stands twice")
        if value:
            options[key.upper()] = value
    return options


def refuse_all(arguments: Iterable[str]) -> None:
    """Refuse the options of a command that takes none.

    Raises:
        UsageError: there is one.
    """
    for argument in arguments:
        raise UsageError(f"'{argument}': this command takes no options")


def refuse_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse options whose key is not among those that are known, and say which was meant.

    Raises:
        UsageError: there is one.
    """
    names = tuple(known)
    for key in given:
        if key not in names:
            raise UsageError(f"{key}= is unknown; {words.advice(key, names, '{}=')}")


def take_integer(options: dict[str, str], key: str, default: int, low: int, high: int) -> int:
    """Remove an integer option and return it, or ``default``.

    Raises:
        UsageError: it is no integer, or lies outside low..high.
    """
    text = options.pop(key, None)
    if text is None:
        return default
    try:
        value = int(text, 0)
    except ValueError:
        raise UsageError(f"{key}={text} is not an integer") from None
    if not low <= value <= high:
        raise UsageError(f"{key}={value} lies outside {low}..{high}")
    return value


def take_beats(options: dict[str, str]) -> Fraction:
    """Remove BEATS=n/m and return it: n beats in m cycles; 1 where it is not given.

    Raises:
        UsageError: it is no fraction above 0 and at most 1, or in lowest terms m is too large.
    """
    text = options.pop("BEATS", None)
    if text is None:
        return FULL_RATE
    beats, slash, cycles = text.partition("/")
    if not beats.isdecimal() or (slash and not cycles.isdecimal()):
        raise UsageError(f"BEATS={text} is not of the form n/m")
    if not 0 < int(beats) <= int(cycles or 1):
        raise UsageError(f"BEATS={text} does not lie above 0 and at most at 1")
    rate = Fraction(int(beats), int(cycles or 1))
    if rate.denominator > RATE_CYCLES_MAX:
        raise UsageError(f"BEATS={text} is more than {RATE_CYCLES_MAX} cycles")
    return rate


@dataclass(frozen=True)
class RunOptions:
    """Where and how to run; the attributes are named after their keys.

    Attributes:
        sim: name of the simulator.
        latency: cycles from a memory request to its answer.
        jitter: chance in 256 that a memory channel pauses in a cycle.
        beats: n/m: in m cycles the memory moves at most n beats of 64 bytes in each direction.
        waves: write waves.
        waves_from: where they begin: cycle:700, pc:131 (its first pass) or stage:batches; implies WAVES=1.
        waves_to: where they end, this cycle included; a stage, where the next one begins. It implies WAVES=1.
        x_seed: seed of the values that stand for unknown ones, or None to draw none.
        sim_timeout: wall-clock seconds after which the simulation is stopped, or None for an hour.
    """

    sim: str = next(iter(registry.SIMULATORS))
    latency: int = DEFAULT_LATENCY
    jitter: int = 0
    beats: Fraction = FULL_RATE
    waves: bool = False
    waves_from: wave_places.Place | None = None
    waves_to: wave_places.Place | None = None
    x_seed: int | None = None
    sim_timeout: int | None = None


#: The keys of :class:`RunOptions`.
RUN_OPTIONS = tuple(field.name.upper() for field in fields(RunOptions))


#: What is named instead of a simulator to run on the reference machine.
REFERENCE = "reference"
#: What only a machine with a clock and a bus has, and what only the reference machine has.
RTL_OPTIONS = (*(key for key in RUN_OPTIONS if key != "SIM"), "SEED", "WATCHDOG", "DRAIN_LIMIT")
REFERENCE_OPTIONS = ("MAX_INSTRUCTIONS",)


def refuse_what_has_no_meaning(given: Mapping[str, str]) -> None:
    """Refuse options that the chosen machine would have to ignore.

    Raises:
        UsageError: there is one.
    """
    reference = given.get("SIM") == REFERENCE
    for key in RTL_OPTIONS if reference else REFERENCE_OPTIONS:
        if key in given and reference:
            raise UsageError(
                f"{key}= means nothing to SIM=reference, which has no clock, no bus and no waves"
            )
        if key in given:
            raise UsageError(f"{key}= is for SIM=reference; WATCHDOG= counts cycles")


def _take_waves(
    options: dict[str, str],
) -> tuple[bool, wave_places.Place | None, wave_places.Place | None]:
    """Remove WAVES, WAVES_FROM and WAVES_TO and return them.

    Raises:
        UsageError: one cannot be read, or a part is wanted of waves that are not.
    """
    edges = [key for key in ("WAVES_FROM", "WAVES_TO") if key in options]
    waves = bool(take_integer(options, "WAVES", int(RunOptions.waves or bool(edges)), 0, 1))
    if edges and not waves:
        raise UsageError(f"{edges[0]}= means nothing with WAVES=0")
    try:
        places = {key: wave_places.read(key, options.pop(key), ("wrong",)) for key in edges}
    except wave_places.WavePlaceError as error:
        raise UsageError(str(error)) from None
    return waves, places.get("WAVES_FROM"), places.get("WAVES_TO")


def take_run_options(options: dict[str, str]) -> RunOptions:
    """Remove the keys of ``RUN_OPTIONS`` and return their values, or their defaults.

    Raises:
        UsageError: a number is none, or lies outside of its range, or the simulator has no use for an option.
    """
    sim = options.pop("SIM", simulate.default_simulator())
    chosen = registry.SIMULATORS.get(sim)
    if "X_SEED" in options and chosen is not None and chosen.random_unknowns is None:
        raise UsageError(f"X_SEED= means nothing to SIM={sim}, which draws no values for unknown ones")
    return RunOptions(
        sim,
        take_integer(options, "LATENCY", RunOptions.latency, 1, 65535),
        take_integer(options, "JITTER", RunOptions.jitter, 0, 255),
        take_beats(options),
        *_take_waves(options),
        take_integer(options, "X_SEED", 0, 1, 2**31 - 1) or None,
        take_integer(options, "SIM_TIMEOUT", 0, 1, 10**7) or None,
    )


def fail(message: object) -> int:
    """Print an error and return the exit status 2; the last line printed says what is wrong.

    Lines of the message after its first are details, such as the end of a log, and come before it.
    """
    first, *details = str(message).splitlines() or [""]
    print("\n".join([*details, f"error: {first}"]), file=sys.stderr)
    return 2


def take_hardware(given: dict[str, str]) -> dict[str, int | str]:
    """Remove the parameters of the machine and return them by the name of their field.

    Raises:
        UsageError: one is no number where it must be.
    """
    return {
        field.name: given.pop(key)
        if isinstance(field.default, str)
        else take_integer(given, key, 0, 0, 2**40)
        for key, field in HARDWARE.items()
        if key in given
    }
