"""The registry of cases, and how a case becomes a program with its memory images and its golden.

A case is data: a machine, a kernel, a problem, a seed, a tolerance. `CASES["mha"]` is there to be overridden.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from plena_ref.golden import attention as golden
from plena_ref.golden.linear import linear
from plena_ref.kernels.attention import AttentionKernel
from plena_ref.kernels.decode_attention import (
    DecodeAttentionKernel,
    decode_attention_blocks,
    decode_attention_one_row,
)
from plena_ref.kernels.layout.allocators import HbmAllocator, VramAllocator
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.rules import LayoutError, round_up
from plena_ref.kernels.linear import LinearKernel, LinearShape
from plena_ref.kernels.operands import (
    FP_LOWEST,
    FP_NEG_INF,
    FP_SCALE,
    FP_ZERO,
    HBM_START,
    AttentionOperands,
    AttentionShape,
    Kernel,
    KernelError,
    fp_sinks,
)
from plena_ref.kernels.packed_attention import PackedAttentionKernel
from plena_ref.kernels.plain_attention import PlainAttentionKernel, plain_attention_element_offsets
from plena_ref.machine import mx
from plena_ref.machine.hardware import Hardware, HardwareError
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.regions import Region
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict import error_bound
from plena_ref.verdict.comparison import ComparisonParameters
from plena_ref.verdict.tolerance import BF16_LIMITED, STRICT, Tolerance
from plena_ref.workloads.input_data import DATA
from plena_ref.workloads.placement import comparison_of

#: The largest number that hides a score.
MASK_VALUE_MAX = -6e4
#: The kernel that is no attention.
LINEAR = "linear"
#: Fields of a case that a linear layer does not have.
ATTENTION_FIELDS = (
    "kv_seq",
    "heads",
    "kv_heads",
    "head_dim",
    "causal",
    "packed_output",
    "window",
    "sinks",
    "mask_value",
    "data",
)
#: The end of HBM data is rounded up to this many bytes, one AXI beat, before it becomes the limit.
LIMIT_ALIGNMENT = 64


class CaseError(ValueError):
    """A case that cannot be built; the message names the rule it breaks."""


DEFAULT_HARDWARE = Hardware(64, 16)
SMALL_HARDWARE = Hardware(16, 4)
#: Two lanes a row, each of two systolic blocks.
PACKED_HARDWARE = Hardware(16, 4, 8, vram_elems=1 << 18, hbm_bytes=1 << 20)


@dataclass(frozen=True)
class Case:
    """One verification case.

    Attributes:
        name: as in `make sim TEST=name`.
        hardware: the machine.
        batch, seq, heads, head_dim: the problem; kv_seq None means seq.
        causal: with a causal mask.
        seed: of the inputs.
        sigma: standard deviation of the inputs, which are normally distributed.
        tolerance: of the comparison with the golden.
        simulators: where the regression runs it.
        kernel: a key of `KERNELS`, or `linear`.
        packed_output: O's batches lie at seq stride instead of in slabs.
        kv_heads: heads of K and V, each shared by heads/kv_heads query heads; None means heads.
        window: keys that a query sees under the causal mask, its own included; None means all.
        sinks: each query head has a sink logit, drawn like the inputs.
        mask_value: what FP_MEM[2] holds, the number that hides a score: -infinity, or a finite one (decoders
            have -6e4).
        data: kind of the inputs, a key of `DATA`; any but `normal` is judged by `error_bound.interval`.
        in_features, out_features: of kernel `linear`, which has batch and seq besides, and none of the fields
            that only attention has (`ATTENTION_FIELDS`); its result counts as one head of out_features.

    Raises:
        CaseError: a rule is broken; the message states it.
    """

    name: str
    hardware: Hardware = DEFAULT_HARDWARE
    batch: int = 1
    seq: int = 4
    kv_seq: int | None = None
    heads: int = 2
    head_dim: int = 64
    causal: bool = False
    seed: int = 0
    sigma: float = 1.5
    tolerance: Tolerance = STRICT
    simulators: tuple[str, ...] = ("verilator",)
    kernel: str = "attention"
    packed_output: bool = False
    kv_heads: int | None = None
    window: int | None = None
    sinks: bool = False
    mask_value: float = -np.inf
    data: str = "normal"
    in_features: int | None = None
    out_features: int | None = None

    def __post_init__(self) -> None:
        """Resolve kv_seq and kv_heads, and check every rule that needs no memory plan."""
        if self.linear and self.in_features and self.out_features:
            for name, value in (
                ("heads", 1),
                ("kv_heads", 1),
                ("kv_seq", None),
                ("head_dim", self.out_features),
            ):
                object.__setattr__(self, name, value)
        if self.kv_seq is None:
            object.__setattr__(self, "kv_seq", self.seq)
        if self.kv_heads is None:
            object.__setattr__(self, "kv_heads", self.heads)
        if self.kernel not in KERNELS and not self.linear:
            known = ", ".join((*KERNELS, LINEAR))
            raise CaseError(f"{self.name}: KERNEL must be one of {known} (got {self.kernel})")
        given = (self.in_features is not None, self.out_features is not None)
        if given != (self.linear, self.linear):
            rule = "IN_FEATURES and OUT_FEATURES belong to KERNEL = linear, which needs both"
            raise CaseError(
                f"{self.name}: {rule} (got KERNEL = {self.kernel}, IN_FEATURES = {self.in_features}, "
                f"OUT_FEATURES = {self.out_features})"
            )
        if self.data not in DATA:
            raise CaseError(f"{self.name}: DATA must be one of {', '.join(DATA)} (got {self.data})")
        if not self.mask_value <= MASK_VALUE_MAX:
            raise CaseError(
                f"{self.name}: MASK_VALUE must not exceed {MASK_VALUE_MAX:g} (got {self.mask_value:g})"
            )
        if self.data == "large" and np.isfinite(self.mask_value):
            raise CaseError(f"{self.name}: MASK_VALUE = {self.mask_value:g} hides no score of DATA = large")
        if not (np.isfinite(self.sigma) and self.sigma > 0):
            raise CaseError(f"{self.name}: SIGMA must be positive (got {self.sigma})")
        if self.seed < 0:
            raise CaseError(f"{self.name}: SEED must not be negative (got {self.seed})")
        try:
            if self.linear:
                self.linear_shape.check(self.hardware)
            else:
                self.shape.check(self.hardware)
        except KernelError as error:
            raise CaseError(f"{self.name}: {error}") from None

    @property
    def linear(self) -> bool:
        """The case is a linear layer, not attention."""
        return self.kernel == LINEAR

    @property
    def problem(self) -> str:
        """The problem in a line, for people."""
        if self.linear:
            return f"batch {self.batch}, seq {self.seq}, {self.in_features} to {self.out_features} features"
        grouped = f" over {self.kv_heads} KV heads" if self.kv_heads != self.heads else ""
        masks = f", window {self.window}" if self.window is not None else ""
        masks += ", sinks" if self.sinks else ""
        return (
            f"batch {self.batch}, seq {self.seq}, kv_seq {self.kv_seq}, heads {self.heads}{grouped}, "
            f"head_dim {self.head_dim}, {'causal' if self.causal else 'not causal'}{masks}"
        )

    @property
    def linear_shape(self) -> LinearShape:
        """The problem of a linear layer."""
        return LinearShape(self.batch, self.seq, self.in_features, self.out_features)

    @property
    def shape(self) -> AttentionShape:
        """The problem as the attention kernels see it."""
        names = [field.name for field in fields(AttentionShape)]
        return AttentionShape(**{name: getattr(self, name) for name in names})

    def override(self, **values: object) -> Case:
        """This case with other values; keys are fields of the case or of its hardware, in capitals or not.

        The result is judged by `BF16_LIMITED`: the strict bound of a registered case holds for its own data.
        Values may be strings as a command line gives them. KV_SEQ follows SEQ, and KV_HEADS follows HEADS,
        unless it was different before or is given. WINDOW = none takes the window away.

        Raises:
            CaseError: an unknown key, a value that cannot be read, or a combination that breaks a rule.
        """
        case_values: dict[str, object] = {}
        hardware_values: dict[str, int] = {}
        for key, value in values.items():
            name = key.lower()
            if name not in _PARSERS:
                known = ", ".join(sorted(parser.upper() for parser in _PARSERS))
                raise CaseError(f"{self.name}: {key} is no override; there are {known}")
            try:
                parsed = _PARSERS[name](value)
            except (TypeError, ValueError):
                raise CaseError(f"{self.name}: {key.upper()} = {value!r} cannot be read") from None
            (hardware_values if name in _HARDWARE_FIELDS else case_values)[name] = parsed
        if not values:
            return self
        if LINEAR in (self.kernel, case_values.get("kernel")):
            for name in ATTENTION_FIELDS:
                if name in case_values:
                    raise CaseError(f"{self.name}: KERNEL = linear has no {name.upper()}")
        for name, leader in (("kv_seq", "seq"), ("kv_heads", "heads")):
            if name not in case_values and getattr(self, name) == getattr(self, leader):
                case_values[name] = None
        if hardware_values:
            case_values["hardware"] = self._override_hardware(hardware_values)
        return replace(self, tolerance=BF16_LIMITED, **case_values)

    def _override_hardware(self, values: dict[str, int]) -> Hardware:
        current = {name: getattr(self.hardware, name) for name in _HARDWARE_FIELDS}
        followers = {"hlen": "mlen", "vpref": "blen", "vstore": "blen"}
        for name, leader in followers.items():
            if current[name] == current[leader]:
                current[name] = None
        if "hlen" not in values and current["hlen"] and current["hlen"] > values.get("mlen", current["mlen"]):
            current["hlen"] = None
        try:
            return Hardware(**{**current, **values})
        except HardwareError as error:
            raise CaseError(f"{self.name}: {error}") from None


@dataclass(frozen=True)
class Workload:
    """A case made ready to run.

    Attributes:
        case: where it came from.
        words: the program.
        listing: the program as commented assembly.
        images: memories before the run: poison, and what the case stages.
        limit: HBM bytes that belong to data; what the limit register holds.
        outputs: the words that hold the result.
        scratch: the other words that the program may write.
        comparison: where the result lies in VRAM.
        golden: float64, batch x seq x heads x head_dim.
        interval: bounds of every element, each shaped as golden; None: the case's tolerance judges.
        head_cols: columns of a head in the physical result, padding included.
    """

    case: Case
    words: list[int]
    listing: str
    images: MemoryImages
    limit: int
    outputs: list[Region]
    scratch: list[Region]
    comparison: ComparisonParameters
    golden: NDArray[np.float64]
    interval: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    head_cols: int

    @property
    def hardware(self) -> Hardware:
        """The machine."""
        return self.case.hardware

    @property
    def tolerance(self) -> Tolerance:
        """Of the comparison with the golden."""
        return self.case.tolerance


@dataclass(frozen=True)
class Inputs:
    """The tensors of a case as the machine gets them, in float64.

    Attributes:
        q: batch x heads x seq x head_dim, bf16 values.
        k, v: batch x kv_heads x kv_seq x head_dim before quantisation.
        sinks: a logit a query head, bf16 values; None in a case without sinks.
    """

    q: NDArray[np.float64]
    k: NDArray[np.float64]
    v: NDArray[np.float64]
    sinks: NDArray[np.float64] | None


def draw_inputs(case: Case) -> Inputs:
    """The case's kind of data from its seed, rounded to bf16; sinks are N(0, 1) * sigma."""
    rng = np.random.default_rng(case.seed)

    def draw(kind: str, name: str, *shape: int) -> NDArray[np.float64]:
        values = DATA[kind](rng, shape, case.sigma, name).astype(np.float32)
        return values.astype(ml_dtypes.bfloat16).astype(np.float64)

    q = draw(case.data, "q", case.batch, case.heads, case.seq, case.head_dim)
    k, v = (draw(case.data, name, case.batch, case.kv_heads, case.kv_seq, case.head_dim) for name in "kv")
    return Inputs(q, k, v, draw("normal", "sinks", case.heads) if case.sinks else None)


def build(case: Case) -> Workload:
    """Place, quantise and stage the tensors of a case, write its program and compute its golden.

    Raises:
        CaseError: the case does not fit its machine, or its kernel does not do its shape.
    """
    if case.linear:
        return _build_linear(case)
    vram, hbm = VramAllocator(case.hardware), HbmAllocator(case.hardware, HBM_START)
    try:
        kernel = KERNELS[case.kernel](case.hardware, case.shape, vram, hbm)
    except (KernelError, LayoutError) as error:
        raise CaseError(f"{case.name}: {error}") from None
    words, listing = kernel.build()
    inputs = draw_inputs(case)
    operands = kernel.operands
    images = MemoryImages.poisoned(case.hardware)
    _stage_constants(case, images, inputs.sinks)
    _stage_vram(case, images, operands, inputs.q)
    k = _stage_hbm(case, images.hbm, operands.k, operands, inputs.k)
    v = _stage_hbm(case, images.hbm, operands.v, operands, inputs.v)
    if kernel.needs_finite_output:
        zeros = np.zeros((case.batch, case.seq, operands.o.parent.physical_cols), np.uint16)
        operands.o.store(images.vram, zeros)
    problem = (inputs.q, k, v, case.causal)
    exact = golden.attention(*problem, case.window, inputs.sinks).transpose(0, 2, 1, 3)
    bounds = None
    if case.data != "normal":
        tiles = -(-case.kv_seq // case.hardware.mlen)
        lower, upper = error_bound.interval(*problem, tiles, case.window, inputs.sinks)
        bounds = lower.transpose(0, 2, 1, 3), upper.transpose(0, 2, 1, 3)
    return Workload(
        case=case,
        words=words,
        listing=listing,
        images=images,
        limit=round_up(hbm.next_free, LIMIT_ALIGNMENT),
        outputs=kernel.outputs(),
        scratch=kernel.scratch(),
        comparison=comparison_of(operands.o),
        golden=exact,
        interval=bounds,
        head_cols=operands.head_cols,
    )


def draw_linear(case: Case) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """X (batch*seq x in_features) and W (in_features x out_features, not yet quantised) as raw bf16."""
    shape = case.linear_shape
    rng = np.random.default_rng(case.seed)
    x = bf16_from_float(rng.standard_normal((case.batch * case.seq, shape.in_features)) * case.sigma)
    spread = case.sigma / np.sqrt(shape.in_features)
    return x, bf16_from_float(rng.standard_normal((shape.in_features, shape.out_features)) * spread)


def _build_linear(case: Case) -> Workload:
    """`build` for a linear layer: X is N(0, 1) * sigma, W that over sqrt(in_features), quantised to MXFP8."""
    hw, shape = case.hardware, case.linear_shape
    vram, hbm = VramAllocator(hw), HbmAllocator(hw, HBM_START)
    try:
        kernel = LinearKernel(hw, shape, vram, hbm)
    except (KernelError, LayoutError) as error:
        raise CaseError(f"{case.name}: {error}") from None
    words, listing = kernel.build()
    x, w = draw_linear(case)
    images = MemoryImages.poisoned(hw)
    # Rows up to a whole systolic block and columns up to a whole tile are read: they are 0.
    staged = np.zeros((round_up(len(x), hw.blen), kernel.x.parent.physical_cols), np.uint16)
    staged[: len(x), : shape.in_features] = x
    images.vram[kernel.x.parent.addresses(np.arange(len(staged)), staged.shape[1])] = staged
    padded = np.zeros((kernel.w[0].rows, len(kernel.w) * hw.mlen), np.uint16)
    padded[: shape.in_features, : shape.out_features] = w
    panels = [mx.encode_rows(panel, hw.mx_block) for panel in np.split(padded, len(kernel.w), axis=1)]
    for tensor, (elements, scales) in zip(kernel.w, panels, strict=True):
        tensor.store(images.hbm, elements, scales)
    read = np.concatenate([mx.dequantise(*panel) for panel in panels], axis=1)
    read = read[: shape.in_features, : shape.out_features]
    exact = linear(bf16_to_f32(x).astype(np.float64), read.astype(np.float64))
    return Workload(
        case=case,
        words=words,
        listing=listing,
        images=images,
        limit=round_up(hbm.next_free, LIMIT_ALIGNMENT),
        outputs=kernel.outputs(),
        scratch=kernel.scratch(),
        comparison=comparison_of(kernel.y),
        golden=exact.reshape(case.batch, case.seq, 1, shape.out_features),
        interval=None,
        head_cols=kernel.y.parent.physical_cols,
    )


def block_tiles(case: Case) -> int:
    """Key tiles whose softmax is one in the program of a case: see `Kernel.block_tiles`."""
    hw = case.hardware
    return KERNELS[case.kernel](hw, case.shape, VramAllocator(hw), HbmAllocator(hw, HBM_START)).block_tiles


def _stage_constants(case: Case, images: MemoryImages, sinks: NDArray[np.float64] | None) -> None:
    images.fpmem[FP_ZERO] = 0
    images.fpmem[FP_SCALE] = bf16_from_float(np.float64(golden.softmax_scale(case.head_dim)))
    images.fpmem[FP_NEG_INF] = bf16_from_float(np.float64(case.mask_value))
    if case.window is not None:
        images.fpmem[FP_LOWEST] = bf16_from_float(np.float64(-(2.0**128 - 2.0**120)))
    if sinks is not None:
        first = fp_sinks(case.hardware)
        images.fpmem[first : first + case.heads] = bf16_from_float(sinks)


def _in_columns(case: Case, tensor: NDArray, head_cols: int, rows: int) -> NDArray:
    """batch x heads x n x head_dim as batch x rows x heads*head_cols, the padding 0."""
    batch, heads, n, head_dim = tensor.shape
    padded = np.zeros((batch, rows, heads, head_cols), tensor.dtype)
    padded[:, :n, :, :head_dim] = tensor.transpose(0, 2, 1, 3)
    return padded.reshape(batch, rows, heads * head_cols)


def _stage_vram(
    case: Case, images: MemoryImages, operands: AttentionOperands, q: NDArray[np.float64]
) -> None:
    """Q in its slabs; rows are zero up to a whole systolic block, the rest of a slab stays poison."""
    rows = round_up(case.seq, case.hardware.blen)
    values = _in_columns(case, q, operands.head_cols, rows)
    operands.q.store(images.vram, values.astype(ml_dtypes.bfloat16).view(np.uint16))


def _stage_hbm(
    case: Case,
    hbm: NDArray[np.uint8],
    tensor: HbmTensor,
    operands: AttentionOperands,
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Quantise K or V into HBM, padding rows zero; returns what the machine reads, shaped as `values`."""
    dense = _in_columns(case, values, operands.kv_head_cols, operands.kv_rows_per_batch)
    dense = np.pad(dense, ((0, 0), (0, 0), (0, tensor.cols - dense.shape[2])))
    rows = bf16_from_float(dense.reshape(tensor.rows, tensor.cols))
    elements, scales = mx.encode_rows(rows, case.hardware.mx_block)
    tensor.store(hbm, elements, scales)
    used = mx.dequantise(elements, scales)[:, : case.kv_heads * operands.kv_head_cols]
    read = used.reshape(case.batch, -1, case.kv_heads, operands.kv_head_cols)
    return read[:, : case.kv_seq, :, : case.head_dim].transpose(0, 2, 1, 3)


#: Kernel generators by name: each takes (hardware, shape, VRAM allocator, HBM allocator).
KERNELS: dict[str, Callable[[Hardware, AttentionShape, VramAllocator, HbmAllocator], Kernel]] = {
    "attention": AttentionKernel,
    "decode_attention": DecodeAttentionKernel,
    "decode_attention_one_row": decode_attention_one_row,
    "decode_attention_blocks": decode_attention_blocks,
    "packed_attention": PackedAttentionKernel,
    "plain_attention": PlainAttentionKernel,
    "plain_attention_element_offsets": plain_attention_element_offsets,
}

#: The kernels of the plain form.
PLAIN_FORMS = ("plain_attention", "plain_attention_element_offsets")

_HARDWARE_FIELDS = tuple(field.name for field in fields(Hardware))


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(value)
    return int(value, 0) if isinstance(value, str) else value


def _truth(value: object) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    text = str(value).lower()
    if text not in words:
        raise ValueError(value)
    return words[text]


_INTEGERS = (
    *("batch", "seq", "kv_seq", "heads", "kv_heads", "head_dim", "in_features", "out_features", "seed"),
    *_HARDWARE_FIELDS,
)


def _window(value: object) -> int | None:
    return None if value is None or str(value).lower() == "none" else _integer(value)


_PARSERS: dict[str, Callable[[object], object]] = {
    **dict.fromkeys(_INTEGERS, _integer),
    "window": _window,
    "sinks": _truth,
    "causal": _truth,
    "packed_output": _truth,
    "sigma": float,
    "mask_value": float,
    "kernel": str,
    "data": str,
}

#: Programs as compilers emit them, with either form of the M_MM column offset (`PLAIN_FORMS`).
PLAIN_CASES: tuple[Case, ...] = (
    Case("plain_batch2", batch=2, kernel="plain_attention"),
    Case("plain_causal", seq=70, heads=1, causal=True, kernel="plain_attention"),
    Case(
        "plain_ragged",
        hardware=SMALL_HARDWARE,
        batch=3,
        seq=20,
        heads=1,
        head_dim=24,
        causal=True,
        kernel="plain_attention",
        packed_output=True,
        mask_value=-6e4,
        sigma=1.0,
    ),
    Case(
        "plain_cached",
        hardware=SMALL_HARDWARE,
        batch=2,
        seq=5,
        kv_seq=37,
        head_dim=16,
        causal=True,
        kernel="plain_attention",
    ),
    Case("plain_vision", hardware=SMALL_HARDWARE, seq=33, head_dim=40, kernel="plain_attention", sigma=1.0),
    Case(
        "plain_grouped",
        hardware=SMALL_HARDWARE,
        seq=16,
        heads=4,
        kv_heads=2,
        head_dim=16,
        causal=True,
        kernel="plain_attention",
    ),
    Case(
        "plain_decode",
        hardware=SMALL_HARDWARE,
        batch=4,
        seq=1,
        kv_seq=40,
        head_dim=32,
        causal=True,
        kernel="plain_attention",
        mask_value=-6e4,
    ),
)

#: A linear layer that streams its weights. The regression runs the larger one with fewer output features
#: (tb/system/test_linear.py).
LINEAR_CASES: tuple[Case, ...] = (
    Case("linear", seq=64, kernel=LINEAR, in_features=576, out_features=576),
    Case(
        "linear_16x4",
        hardware=SMALL_HARDWARE,
        seq=64,
        kernel=LINEAR,
        in_features=576,
        out_features=576,
        simulators=(),
    ),
)

#: Every case by name.
CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case("mha", tolerance=BF16_LIMITED),
        Case("mha_batch1", batch=1),
        Case("mha_batch2", batch=2),
        Case("mha_batch2_sub64", hardware=SMALL_HARDWARE, batch=2, simulators=("verilator", "icarus")),
        Case("mha_causal_tiles", seq=128, heads=1, causal=True),
        Case(
            "mha_ragged",
            hardware=SMALL_HARDWARE,
            batch=3,
            seq=20,
            heads=1,
            head_dim=24,
            causal=True,
            simulators=("verilator", "icarus"),
        ),
        Case(
            "gqa_cached",
            hardware=SMALL_HARDWARE,
            batch=2,
            seq=5,
            kv_seq=37,
            heads=4,
            kv_heads=2,
            head_dim=16,
            causal=True,
        ),
        Case(
            "gqa_packed",
            hardware=replace(DEFAULT_HARDWARE, hlen=16),
            seq=20,
            kv_seq=70,
            heads=8,
            kv_heads=2,
            head_dim=16,
            causal=True,
            kernel="packed_attention",
        ),
        Case(
            "window_sinks",
            hardware=SMALL_HARDWARE,
            seq=20,
            kv_seq=50,
            heads=2,
            head_dim=24,
            causal=True,
            window=19,
            sinks=True,
            sigma=1.0,
        ),
        Case(
            "long_cache",
            hardware=SMALL_HARDWARE,
            seq=18,
            kv_seq=150,
            heads=1,
            head_dim=24,
            causal=True,
            sinks=True,
            sigma=1.0,
        ),
        Case(
            "gqa_packed_wide",
            hardware=PACKED_HARDWARE,
            batch=2,
            seq=20,
            heads=8,
            kv_heads=2,
            head_dim=8,
            causal=True,
            kernel="packed_attention",
            packed_output=True,
        ),
        Case(
            "gqa_packed_narrow",
            hardware=Hardware(16, 16, 8),
            batch=2,
            seq=20,
            kv_seq=37,
            heads=4,
            kv_heads=2,
            head_dim=8,
            causal=True,
            window=18,
            kernel="packed_attention",
        ),
        Case(
            "decode_batch",
            batch=4,
            seq=1,
            kv_seq=200,
            causal=True,
            kernel="decode_attention",
        ),
        Case(
            "decode_grouped",
            hardware=SMALL_HARDWARE,
            batch=2,
            seq=1,
            kv_seq=75,
            heads=10,
            kv_heads=2,
            head_dim=24,
            causal=True,
            window=41,
            sinks=True,
            kernel="decode_attention",
        ),
        Case("mha_head72", batch=2, seq=20, kv_seq=70, head_dim=72, causal=True, sigma=1.0),
        Case(
            "decode_head40",
            batch=2,
            seq=1,
            kv_seq=150,
            heads=6,
            kv_heads=2,
            head_dim=40,
            causal=True,
            window=100,
            sinks=True,
            kernel="decode_attention",
        ),
        *PLAIN_CASES,
        *LINEAR_CASES,
    )
}


def command(case: Case) -> str:
    """What to type to run a case that is in no registry: `make sim TEST=mha` and its overrides.

    The name and the simulators are lost, and the tolerance becomes `BF16_LIMITED`.
    """
    base = CASES["mha"]
    hw = case.hardware
    followers = {
        "hlen": hw.mlen,
        "vpref": hw.blen,
        "vstore": hw.blen,
        "kv_seq": case.seq,
        "kv_heads": case.heads,
    }
    words = ["make sim TEST=mha"]
    for name in _PARSERS:
        if case.linear and name in ATTENTION_FIELDS:
            continue
        holder, default = (hw, base.hardware) if name in _HARDWARE_FIELDS else (case, base)
        value = getattr(holder, name)
        if value != followers.get(name, getattr(default, name)):
            words.append(f"{name.upper()}={int(value) if isinstance(value, bool) else value}")
    return " ".join(words)
