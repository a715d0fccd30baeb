"""The settings file of PLENA's tools, and the machine that they use without one.

Table ``TRANSACTIONAL.CONFIG`` holds sizes, each entry a table with ``value``; ``TRANSACTIONAL.PRECISION``
holds number formats. docs/plena_tools.md lists what each key means here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tb.peer.errors import PeerError, read_bytes

#: Names the settings file where the command line of the emulator does not.
VARIABLE = "PLENA_SETTINGS_TOML"
#: Its usual name.
FILE = "plena_settings.toml"

#: Keys of CONFIG that shape the machine, and the field of `Settings` each becomes.
_SIZES = {
    "MLEN": "mlen",
    "BLEN": "blen",
    "HLEN": "hlen",
    "HBM_V_Prefetch_Amount": "vpref",
    "HBM_V_Writeback_Amount": "vstore",
    "MATRIX_SRAM_SIZE": "msram_rows",
    "VECTOR_SRAM_SIZE": "vram_rows",
    "HBM_SIZE": "hbm_size",
    "FP_SRAM_SIZE": "fp_words",
    "FP_SRAM_DEPTH": "fp_words",
    "INT_SRAM_SIZE": "int_words",
    "INT_SRAM_DEPTH": "int_words",
}
#: Keys that must agree with another one: VLEN and the rows of a matrix prefetch are MLEN, lanes MLEN/HLEN.
_FOLLOWERS = ("VLEN", "HBM_M_Prefetch_Amount", "BROADCAST_AMOUNT")
#: Keys of the emulator's own models of time and of its host; they say nothing about the machine.
_WITHOUT_MEANING = (
    *("HBM_WIDTH", "HBM_GEN", "HBM_CHANNELS", "HBM_NUM_CHANNELS", "HBM_DRAM_IMPL", "HBM_ORG_PRESET"),
    *("HBM_TIMING_PRESET", "CLOCK_PERIOD_PS", "DC_EN", "DRAIN_OVERLAPPED", "MAX_LOOP_INSTRUCTIONS"),
)
#: Classes of transfers (plena_ref/isa/formats.py) by the type that says how their rows lie in HBM.
TRANSFERS = {
    "HBM_M_WEIGHT_TYPE": "m0",
    "HBM_M_KV_TYPE": "m1",
    "HBM_V_ACT_TYPE": "v0",
    "HBM_V_KV_TYPE": "v1",
}
_ON_CHIP = ("MATRIX_SRAM_TYPE", "VECTOR_SRAM_TYPE", "SCALAR_FP")
#: Tables of PRECISION that describe and choose nothing.
_DESCRIPTIONS = ("MATRIX_SEMANTICS", "MX_PHYSICAL_SEMANTICS")
_BF16 = {"type": "Fp", "exponent": 8, "mantissa": 7}
_ELEMENT = {"type": "Fp", "exponent": 4, "mantissa": 3}
_SCALE = {"type": "Fp", "exponent": 8, "mantissa": 0}
_INT32 = {"type": "Int", "width": 32}


@dataclass(frozen=True)
class Settings:
    """What the tools' settings say about the machine; the defaults are those of their own file.

    Attributes:
        path: the file; None: there was none.
        mlen, blen, hlen: as in `plena_ref.machine.hardware.Hardware`.
        vpref, vstore: VRAM rows of a transfer.
        msram_rows, vram_rows: rows of MLEN elements.
        hbm_size: bytes; None: whatever the program's own files say.
        fp_words, int_words: words of FP_MEM and INT_MEM; None: as many as this machine usually has.
        mx_block: elements that share a scale.
        plain: classes of transfers that move bf16 without scales.
    """

    path: Path | None = None
    mlen: int = 64
    blen: int = 4
    hlen: int = 16
    vpref: int = 4
    vstore: int = 4
    msram_rows: int = 4096
    vram_rows: int = 4194304
    hbm_size: int | None = None
    fp_words: int | None = None
    int_words: int | None = None
    mx_block: int = 8
    plain: frozenset[str] = frozenset()


def find(given: Path | None, named: str | None, folders: tuple[Path, ...]) -> Path | None:
    """The settings file: the given one, else the one that the environment named, else one in a folder."""
    if given is not None:
        return given
    if named:
        return Path(named)
    for folder in folders:
        if (folder / FILE).is_file():
            return folder / FILE
    return None


def read(path: Path) -> Settings:
    """Read a settings file.

    Raises:
        PeerError: it is missing or no TOML, has a key or a format that is not known, or contradicts itself.
    """
    try:
        tables = tomllib.loads(read_bytes(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PeerError(path, None, f"no TOML: {error}") from None
    transactional = _table(path, tables, "TRANSACTIONAL", "TRANSACTIONAL")
    config = _table(path, transactional, "CONFIG", "TRANSACTIONAL.CONFIG")
    sized = {key: _size(path, key, entry) for key, entry in config.items()}
    values = {key: size for key, size in sized.items() if size is not None}
    sizes = {name: values[key] for key, name in _SIZES.items() if key in values}
    if "hlen" not in sizes and "BROADCAST_AMOUNT" in values and "mlen" in sizes:
        sizes["hlen"] = sizes["mlen"] // values["BROADCAST_AMOUNT"]
    block, plain = _formats(path, transactional.get("PRECISION", {}))
    settings = Settings(path=path, **sizes, mx_block=block, plain=plain)
    lanes = settings.mlen // settings.hlen
    for key, wanted in zip(_FOLLOWERS, (settings.mlen, settings.mlen, lanes), strict=True):
        if values.get(key, wanted) != wanted:
            reason = (
                f"{values[key]}, but with MLEN {settings.mlen} and HLEN {settings.hlen} it must be {wanted}"
            )
            raise PeerError(path, f"TRANSACTIONAL.CONFIG.{key}", reason)
    return settings


def _table(path: Path, tables: Mapping[str, object], key: str, name: str) -> Mapping[str, object]:
    found = tables.get(key)
    if not isinstance(found, dict):
        raise PeerError(path, name, "this table is missing")
    return found


def _size(path: Path, key: str, entry: object) -> int | None:
    """The value of one entry of CONFIG, a positive integer; None for settings without a meaning."""
    name = f"TRANSACTIONAL.CONFIG.{key}"
    if key not in (*_SIZES, *_FOLLOWERS, *_WITHOUT_MEANING):
        raise PeerError(path, name, "unknown setting")
    if not isinstance(entry, dict) or "value" not in entry:
        raise PeerError(path, name, "must be a table with `value`")
    value = entry["value"]
    if key in _WITHOUT_MEANING:
        return None
    if type(value) is not int or value < 1:
        raise PeerError(path, f"{name}.value", f"{value!r} is no positive integer")
    return value


def _formats(path: Path, precision: object) -> tuple[int, frozenset[str]]:
    """The MX block and the plain transfers of PRECISION."""
    if not isinstance(precision, dict):
        raise PeerError(path, "TRANSACTIONAL.PRECISION", "must be a table")
    blocks: dict[int, str] = {}
    plain = set()
    for key, entry in precision.items():
        name = f"TRANSACTIONAL.PRECISION.{key}"
        if key in _DESCRIPTIONS:
            continue
        if key in TRANSFERS and isinstance(entry, dict) and entry.get("format") == "Mx":
            block = entry.get("block")
            _require(path, f"{name}.ELEM", entry.get("ELEM"), _ELEMENT)
            _require(path, f"{name}.SCALE", entry.get("SCALE"), _SCALE)
            if type(block) is not int or (blocks and block not in blocks):
                raise PeerError(path, f"{name}.block", f"{block!r} is not supported beside {list(blocks)}")
            blocks[block] = name
        elif key in TRANSFERS:
            _require(path, f"{name}.DATA_TYPE", _plain(path, name, entry), _BF16)
            plain.add(TRANSFERS[key])
        elif key == "SCALAR_FP":
            _require(path, name, entry, _BF16)
        elif key in _ON_CHIP:
            _require(path, f"{name}.DATA_TYPE", _plain(path, name, entry), _BF16)
        elif key == "HBM_V_INT_TYPE":
            _require(path, f"{name}.DATA_TYPE", _plain(path, name, entry), _INT32)
        else:
            raise PeerError(path, name, "unknown setting")
    return next(iter(blocks), 8), frozenset(plain)


def _plain(path: Path, name: str, entry: object) -> object:
    """The data type of a plain format."""
    if not isinstance(entry, dict) or entry.get("format") != "Plain":
        found = entry.get("format") if isinstance(entry, dict) else entry
        raise PeerError(path, f"{name}.format", f"{found!r} is not supported")
    return entry.get("DATA_TYPE")


def _require(path: Path, name: str, entry: object, wanted: Mapping[str, object]) -> None:
    """Refuse a number format other than the wanted one."""
    found = {key: entry.get(key) for key in wanted} if isinstance(entry, dict) else entry
    if found != wanted:
        raise PeerError(path, name, f"{_text(found)} is not supported, only {_text(wanted)}")


def _text(entry: object) -> str:
    if not isinstance(entry, Mapping):
        return "nothing" if entry is None else repr(entry)
    return " ".join(f"{key} {value}" for key, value in entry.items())
