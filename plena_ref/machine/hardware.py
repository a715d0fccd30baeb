"""The shape of one PLENA machine: every parameter, its default, and the rules it must obey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from plena_ref.isa.formats import ELEMENT, FORMATS, TRANSFER_CLASSES
from plena_ref.machine.hbm_format import HbmFormat
from plena_ref.machine.resolved import Resolved, resolved

#: Bounds that the hardware description shares with the RTL's elaboration checks.
MLEN_MIN, MLEN_MAX = 8, 256
BLEN_MIN = 4
LANES_MAX = 32
MX_BLOCK_MIN, MX_BLOCK_MAX = 8, 64
VRAM_BANKS = 8
HBM_BEAT_BYTES = 64
#: Transfers that the queue of the HBM unit holds (rtl/queue_parameters.svh).
HBM_QUEUE = 4
#: Most elements of VRAM and of MSRAM, and bytes of HBM: the bench addresses files and arrays with 32 bits.
MEMORY_ELEMS_MAX = 1 << 29
HBM_BYTES_MAX = 1 << 30
#: HBM_BF16 of a machine whose transfers are all MXFP8.
NO_CLASS = "none"


class HardwareError(ValueError):
    """A machine shape that cannot be built; the message names the rule it breaks and the offending values."""


def _is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


@dataclass(frozen=True)
class Hardware:
    """One machine shape. Lengths are in elements or words unless the name says bytes.

    Attributes:
        mlen: edge of a matrix tile, and length of a VRAM row (VLEN = MLEN).
        blen: edge of a systolic block.
        hlen: width of a head lane; None means MLEN.
        vram_elems: vector SRAM, bf16 elements.
        msram_tiles: matrix SRAM, MLEN x MLEN bf16 tiles.
        fp_words: FP_MEM, bf16 words.
        int_words: INT_MEM, 32-bit words.
        vpref: VRAM rows an H_PREFETCH_V fills; None means BLEN.
        vstore: VRAM rows an H_STORE_V writes; None means BLEN.
        mx_block: elements that share one scale byte in HBM.
        loop_depth: hardware loops that may be open at a time.
        dispatch_width: instructions dispatched a cycle at most. It changes cycles, never results.
        element: format of elements in HBM, a key of `plena_ref.isa.formats`: ocp or plena.
        hbm_bf16: the classes of transfers whose rows lie in HBM as bf16, without scales: m0 and m1 for
            H_PREFETCH_M of precision 0 and 1, v0 and v1 for H_PREFETCH_V and H_STORE_V; separated by commas,
            or none.
        hbm_bytes: HBM capacity in bytes.

    Raises:
        HardwareError: a rule is broken; the message states the rule.
    """

    mlen: int = 64
    blen: int = 16
    hlen: Resolved[int] = resolved()
    vram_elems: int = 1 << 20
    msram_tiles: int = 64
    fp_words: int = 1024
    int_words: int = 1024
    vpref: Resolved[int] = resolved()
    vstore: Resolved[int] = resolved()
    mx_block: int = 8
    loop_depth: int = 8
    dispatch_width: int = 2
    element: str = ELEMENT
    hbm_bf16: str = NO_CLASS
    hbm_bytes: int = 64 << 20

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Hardware:  # Any: checked as the fields of all machines are
        """The machine of some fields by name; their types, which no checker knows, are checked as all are.

        Raises:
            HardwareError: a rule is broken.
        """
        return cls(**values)

    def __post_init__(self) -> None:
        """Resolve the defaults that depend on other parameters, then check every rule."""
        for name, default in (("hlen", self.mlen), ("vpref", self.blen), ("vstore", self.blen)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, default)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, str):
                if not isinstance(value, str):
                    raise HardwareError(f"{field.name} must be a word, got {value!r}")
            elif not isinstance(value, int) or isinstance(value, bool):
                raise HardwareError(f"{field.name} must be an integer, got {value!r}")
        self._check_formats()
        self._check_lengths()
        self._check_memories()

    def _require(self, holds: bool, rule: str, *names: str) -> None:
        if not holds:
            got = ", ".join(f"{name} = {getattr(self, name)}" for name in names)
            raise HardwareError(f"{rule} (got {got})")

    def _check_formats(self) -> None:
        """Check the formats of HBM, and bring the classes of `hbm_bf16` into the order of the table."""
        self._require(self.element in FORMATS, f"ELEMENT must be one of {', '.join(FORMATS)}", "element")
        given = self.hbm_bf16.lower().split(",")
        known = given == [NO_CLASS] or all(name in TRANSFER_CLASSES for name in given)
        rule = f"HBM_BF16 must be {NO_CLASS}, or some of {','.join(TRANSFER_CLASSES)}"
        self._require(known, rule, "hbm_bf16")
        ordered = ",".join(name for name in TRANSFER_CLASSES if name in given)
        object.__setattr__(self, "hbm_bf16", ordered or NO_CLASS)

    def _check_lengths(self) -> None:
        require = self._require
        for name in ("mlen", "blen", "hlen", "mx_block"):
            require(_is_power_of_two(getattr(self, name)), f"{name.upper()} must be a power of two", name)
        require(MLEN_MIN <= self.mlen <= MLEN_MAX, f"MLEN must lie in {MLEN_MIN}..{MLEN_MAX}", "mlen")
        require(self.blen >= BLEN_MIN, f"BLEN must be at least {BLEN_MIN}", "blen")
        require(self.blen <= self.mlen, "BLEN must not exceed MLEN", "blen", "mlen")
        require(self.hlen <= self.mlen, "HLEN must not exceed MLEN", "hlen", "mlen")
        require(self.lanes <= LANES_MAX, f"LANES = MLEN/HLEN must not exceed {LANES_MAX}", "mlen", "hlen")
        require(
            MX_BLOCK_MIN <= self.mx_block <= MX_BLOCK_MAX,
            f"MX_BLOCK must lie in {MX_BLOCK_MIN}..{MX_BLOCK_MAX}",
            "mx_block",
        )
        require(self.mx_block <= self.mlen, "MX_BLOCK must not exceed MLEN", "mx_block", "mlen")
        require(1 <= self.loop_depth <= 255, "LOOP_DEPTH must lie in 1..255", "loop_depth")
        require(self.dispatch_width in (1, 2), "DISPATCH_WIDTH must be 1 or 2", "dispatch_width")

    def _check_memories(self) -> None:
        require = self._require
        bank_row = VRAM_BANKS * self.mlen
        require(
            self.vram_elems > 0 and self.vram_elems % bank_row == 0,
            f"VRAM_ELEMS must be a positive multiple of {VRAM_BANKS}*MLEN = {bank_row}",
            "vram_elems",
        )
        require(self.vram_elems <= MEMORY_ELEMS_MAX, "VRAM_ELEMS must not exceed 2^29", "vram_elems")
        require(self.msram_tiles >= 1, "MSRAM_TILES must be at least 1", "msram_tiles")
        require(
            self.msram_tiles * self.tile_elems <= MEMORY_ELEMS_MAX,
            "MSRAM_TILES*MLEN*MLEN must not exceed 2^29",
            "msram_tiles",
            "mlen",
        )
        require(
            self.fp_words > 0 and self.fp_words % (2 * self.mlen) == 0,
            f"FP_WORDS must be a positive multiple of 2*MLEN = {2 * self.mlen}",
            "fp_words",
        )
        require(self.fp_words <= 1 << 24, "FP_WORDS must not exceed 2^24", "fp_words")
        require(2 <= self.int_words <= 1 << 24, "INT_WORDS must lie in 2..2^24", "int_words")
        for name in ("vpref", "vstore"):
            value = getattr(self, name)
            top = min(self.vram_rows, 0xFFFF)
            require(1 <= value <= top, f"{name.upper()} must lie in 1..{top} (rows of VRAM)", name)
        require(
            self.hbm_bytes > 0 and self.hbm_bytes % HBM_BEAT_BYTES == 0,
            f"HBM_BYTES must be a positive multiple of {HBM_BEAT_BYTES}",
            "hbm_bytes",
        )
        require(self.hbm_bytes <= HBM_BYTES_MAX, "HBM_BYTES must not exceed 2^30", "hbm_bytes")

    @property
    def p(self) -> int:
        """Mini-arrays in the systolic array: MLEN/BLEN."""
        return self.mlen // self.blen

    @property
    def lanes(self) -> int:
        """Head lanes in a row, and bits of V_MASK: MLEN/HLEN."""
        return self.mlen // self.hlen

    @property
    def tile_elems(self) -> int:
        """Elements of one MSRAM tile: MLEN*MLEN."""
        return self.mlen * self.mlen

    @property
    def vram_rows(self) -> int:
        """Rows of VRAM: VRAM_ELEMS/MLEN."""
        return self.vram_elems // self.mlen

    def hbm_format(self, memory: str, precision: int) -> HbmFormat:
        """How rows lie in HBM for transfers between it and `memory` with this precision (0 or 1).

        `memory` is "m" for H_PREFETCH_M, "v" for H_PREFETCH_V and H_STORE_V.
        """
        bf16 = f"{memory}{precision}" in self.hbm_bf16.split(",")
        return HbmFormat(self.element, self.mx_block, bf16)

    def rtl_parameters(self) -> dict[str, int]:
        """The parameters of `rtl/plena_core.sv` that build this machine, by their SystemVerilog names."""
        values = {
            field.name.upper(): getattr(self, field.name)
            for field in fields(self)
            if field.name != "hbm_bytes"
        }
        chosen = self.hbm_bf16.split(",")
        bits = sum(1 << bit for bit, name in enumerate(TRANSFER_CLASSES) if name in chosen)
        return {**values, "ELEMENT": list(FORMATS).index(self.element), "HBM_BF16": bits}
