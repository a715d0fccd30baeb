"""What one types behind `make chat`, and what of it cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from plena_ref.machine.hardware import Hardware
from tb.bench import keys, options
from tb.bench.options import REFERENCE
from tb.engine import simulate

#: Positions that the caches hold, and tokens of a pass at most.
POSITIONS, CHUNK = 512, 16
#: HBM that the model of the machine has, for weights of SmolLM2-135M with room to spare.
HBM_BYTES = 256 << 20


@dataclass(frozen=True)
class Settings:
    """A command line that was understood.

    Attributes:
        prompts: what is asked, one answer each.
        model: a model file; None takes that of the package.
        hardware: the machine.
        tokens: tokens of an answer at most.
        temperature: of the sampling; 0 takes the best token.
        seed: of the sampling.
        simulator: where the passes run, or `reference`.
        scheduler: address of a dask scheduler whose workers answer the prompts; None: this host.
        traced: leave a timeline of every pass.
    """

    prompts: tuple[str, ...]
    model: Path | None
    hardware: Hardware
    tokens: int
    temperature: float
    seed: int
    simulator: str
    scheduler: str | None
    traced: bool

    @property
    def on_rtl(self) -> bool:
        """Whether the RTL runs, with the reference machine beside it."""
        return self.simulator != REFERENCE


def parse(arguments: list[str]) -> Settings:
    """Read a command line.

    Raises:
        UsageError: it cannot be understood.
        HardwareError: there is no such machine.
    """
    given = keys.given("chat", arguments)
    traced = _traced(given)
    number = options.take_integer
    mlen = number(given, "MLEN", 64, 1, 1 << 20)
    tiles = max(64, (512 // max(mlen, 1)) ** 2)
    hardware = Hardware(
        mlen,
        number(given, "BLEN", min(16, mlen), 1, 1 << 20),
        vram_elems=number(given, "VRAM_ELEMS", 1 << 20, 1, 1 << 40),
        msram_tiles=number(given, "MSRAM_TILES", tiles, 1, 1 << 40),
        hbm_bytes=number(given, "HBM_BYTES", HBM_BYTES, 1, 1 << 40),
    )
    seeded = "SEED" in given
    seed = number(given, "SEED", 0, 0, 2**32 - 1)
    if seeded and _temperature(given.get("TEMPERATURE", "0")) == 0:
        raise options.UsageError("SEED= is for a TEMPERATURE above 0; without it the best token is taken")
    model = given.get("MODEL")
    return Settings(
        _prompts(given),
        None if model is None else Path(model),
        hardware,
        number(given, "TOKENS", 16, 1, POSITIONS),
        _temperature(given.get("TEMPERATURE", "0")),
        seed,
        given.get("SIM", simulate.default_simulator()),
        given.get("SCHEDULER"),
        traced,
    )


def _traced(given: dict[str, str]) -> bool:
    """Whether timelines are wanted.

    Raises:
        UsageError: of passes that have none.
    """
    traced = bool(options.take_integer(given, "TRACE", 0, 0, 1))
    if traced and given.get("SIM") == REFERENCE:
        raise options.UsageError("TRACE= means nothing to SIM=reference, which has no cycles")
    for key in ("PROMPTS", "SCHEDULER"):
        if traced and key in given:
            raise options.UsageError(f"TRACE=1 is for one PROMPT on this machine, without {key}")
    return traced


def _prompts(given: dict[str, str]) -> tuple[str, ...]:
    """One prompt, or the lines of a file."""
    if ("PROMPT" in given) == ("PROMPTS" in given):
        raise options.UsageError("give PROMPT=, or PROMPTS= with a file of one prompt a line")
    if "PROMPT" in given:
        return (given["PROMPT"],)
    path = Path(given["PROMPTS"])
    try:
        prompts = tuple(line.strip() for line in path.read_text().splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise options.UsageError(f"PROMPTS={path}: {getattr(error, 'strerror', None) or error}") from None
    if not prompts:
        raise options.UsageError(f"PROMPTS={path}: no prompt in it")
    return prompts


def _temperature(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise options.UsageError(f"TEMPERATURE={text} is no number") from None
    if not 0 <= value <= 100:
        raise options.UsageError(f"TEMPERATURE={text} lies outside 0..100")
    return value
