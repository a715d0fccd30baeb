"""The machine that a program of PLENA's tools runs on: settings, options, and what its files need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from plena_ref.machine.hardware import HBM_BYTES_MAX, NO_CLASS, VRAM_BANKS, Hardware
from tb.bench.job_files import PROGRAM_BYTES
from tb.peer import address_walk
from tb.peer.directory import BEAT, Preload
from tb.peer.errors import PeerError
from tb.peer.settings import Settings

#: Sizes below which no memory of a model goes, so that most programs share one.
_VRAM_ELEMS, _FP_WORDS, _INT_WORDS, _HBM_BYTES, _LOOPS = 1 << 20, 1024, 1024, 64 << 20, 8
#: VRAM where the addresses of a program are not known before it runs.
_UNKNOWN_VRAM = 1 << 22
#: The format of elements in images that PLENA's tools make.
ELEMENT = "plena"


@dataclass(frozen=True)
class Shape:
    """A machine for one program.

    Attributes:
        hardware: the machine.
        limit: bytes of HBM that belong to data.
        raise_with: by memory (vram, msram, fpmem, intmem, hbm) what a user raises to get more of it.
        remarks: what was chosen and is not in the settings, for people.
    """

    hardware: Hardware
    limit: int
    raise_with: dict[str, str]
    remarks: list[str]


def _power_of_two(value: int) -> int:
    return 1 << (max(value, 1) - 1).bit_length()


def lengths(settings: Settings, options: Mapping[str, int | str]) -> Hardware:
    """The machine's lengths with memories of the usual sizes; options go before settings.

    Raises:
        HardwareError: there is no such machine.
    """
    mlen = int(options.get("mlen", settings.mlen))
    chosen: dict[str, int | str] = {
        "mlen": mlen,
        "blen": settings.blen,
        "hlen": min(settings.hlen, mlen) if settings.path is None or "mlen" in options else settings.hlen,
        "vpref": settings.vpref,
        "vstore": settings.vstore,
        "mx_block": settings.mx_block,
        "element": ELEMENT,
        "hbm_bf16": ",".join(sorted(settings.plain)) or NO_CLASS,
        **{name: value for name, value in options.items() if name != "mlen"},
    }
    return Hardware.of(chosen)


def shape(
    settings: Settings,
    options: Mapping[str, int | str],
    words: Sequence[int],
    preload: Preload,
    hbm_size: int,
    result_end: int,
) -> Shape:
    """Size the memories of a machine for a program.

    Args:
        settings: what the tools' settings say.
        options: fields of Hardware that the command line gives; they go before everything else.
        words: the program.
        preload: what the memories hold before the run.
        hbm_size: bytes of HBM that belong to data.
        result_end: first VRAM element after the result; 0: nobody knows of one.

    Raises:
        PeerError: a file does not fit, or the settings ask for a machine that cannot be built.
        HardwareError: there is no such machine.
    """
    base = lengths(settings, options)
    extents = address_walk.walk(base, words, preload.intmem)
    where = settings.path or Path("settings")
    remarks = _formats(base)
    if base.hlen != settings.hlen and "hlen" not in options:
        remarks.append(f"HLEN {base.hlen}: {settings.hlen} is wider than MLEN")
    capacity = _capacity(settings, base, where)
    needed = max(extents.vram, result_end, preload.vram.size)
    if not extents.complete:
        needed = max(needed, _UNKNOWN_VRAM)
        remarks.append("not every address is known before the run; VRAM is sized generously")
    sizes: dict[str, int | str] = {
        "vram_elems": min(max(_VRAM_ELEMS, _power_of_two(needed)), capacity),
        "msram_tiles": _tiles(settings, base, where),
        "fp_words": _scalar_words(settings.fp_words, _FP_WORDS, extents.fp_words, preload.fpmem.size, base),
        "int_words": _scalar_words(settings.int_words, _INT_WORDS, extents.int_words, preload.intmem.size),
        "loop_depth": min(max(_LOOPS, _power_of_two(extents.loops)), 255),
        "hbm_bytes": max(_HBM_BYTES, _power_of_two(hbm_size + _program_bytes(words))),
    }
    sizes.update({name: options[name] for name in sizes if name in options})
    hbm_bytes = min(int(sizes["hbm_bytes"]), HBM_BYTES_MAX)
    limit = min(hbm_size, hbm_bytes)
    if preload.hbm.size > limit:
        reason = f"{preload.hbm.size} bytes do not fit an HBM of {limit} bytes"
        raise PeerError(preload.files["hbm"], None, reason)
    if limit < hbm_size:
        remarks.append(f"HBM ends at byte {limit}; {hbm_size} bytes were asked for")
    chosen = {field.name: getattr(base, field.name) for field in fields(Hardware)}
    return Shape(Hardware.of({**chosen, **sizes, "hbm_bytes": hbm_bytes}), limit, _names(settings), remarks)


def _program_bytes(words: Sequence[int]) -> int:
    """Bytes of HBM for a program that is too large for the room behind HBM; else 0."""
    return 4 * len(words) + BEAT if 4 * len(words) > PROGRAM_BYTES else 0


def _formats(hw: Hardware) -> list[str]:
    """What is chosen of the formats of HBM, for people."""
    other = "ocp" if hw.element == ELEMENT else ELEMENT
    found = [f"elements of HBM as {hw.element.upper()} has E4M3 (ELEMENT={other} for the other form)"]
    if hw.hbm_bf16 != NO_CLASS:
        found.append(f"transfers {hw.hbm_bf16} move bf16, two bytes an element and no scales")
    return found


def _capacity(settings: Settings, hw: Hardware, where: Path) -> int:
    """Most VRAM elements: the settings' rows, cut to what can be built."""
    step = VRAM_BANKS * hw.mlen
    capacity = min(settings.vram_rows * hw.mlen, 1 << 29) // step * step
    if capacity == 0:
        reason = f"{settings.vram_rows} rows; at least {VRAM_BANKS} are needed"
        raise PeerError(where, "TRANSACTIONAL.CONFIG.VECTOR_SRAM_SIZE", reason)
    return capacity


def _tiles(settings: Settings, hw: Hardware, where: Path) -> int:
    """MSRAM tiles; the settings count rows."""
    tiles, rest = divmod(settings.msram_rows, hw.mlen)
    if rest or not tiles:
        reason = f"{settings.msram_rows} rows are no whole number of tiles of {hw.mlen} rows"
        raise PeerError(where, "TRANSACTIONAL.CONFIG.MATRIX_SRAM_SIZE", reason)
    return tiles


def _scalar_words(
    given: int | None, usual: int, addressed: int, loaded: int, hw: Hardware | None = None
) -> int:
    """Words of FP_MEM (with `hw`: whole numbers of row pairs) or INT_MEM."""
    words = given if given is not None else max(usual, _power_of_two(min(max(addressed, loaded), 1 << 24)))
    return words if hw is None else -(-words // (2 * hw.mlen)) * 2 * hw.mlen


def _names(settings: Settings) -> dict[str, str]:
    """What a user raises to get more of a memory: a key of the settings file, or an option."""
    keys = {
        "vram": ("VECTOR_SRAM_SIZE", "VRAM_ELEMS"),
        "msram": ("MATRIX_SRAM_SIZE", "MSRAM_TILES"),
        "fpmem": ("FP_SRAM_SIZE", "FP_WORDS"),
        "intmem": ("INT_SRAM_SIZE", "INT_WORDS"),
    }
    found = {
        memory: f"{option}=" if settings.path is None else f"{key} in {settings.path}, or {option}="
        for memory, (key, option) in keys.items()
    }
    return {**found, "hbm": "hbm_size.txt, --hbm-size or HBM_BYTES="}
