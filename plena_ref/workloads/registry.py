"""Every registered case by name. A case is data; `CASES["mha"]` is there to be overridden."""

from __future__ import annotations

from dataclasses import replace

from plena_ref.machine.hardware import Hardware
from plena_ref.verdict.tolerance import BF16_LIMITED
from plena_ref.workloads import overrides
from plena_ref.workloads.case import DEFAULT_HARDWARE, Case, make_case

SMALL_HARDWARE = Hardware(16, 4)
#: Two lanes a row, each of two systolic blocks.
PACKED_HARDWARE = Hardware(16, 4, 8, vram_elems=1 << 18, hbm_bytes=1 << 20)

#: Programs as compilers emit them, with either form of the M_MM column offset (`PLAIN_FORMS`).
PLAIN_CASES: tuple[Case, ...] = (
    make_case("plain_batch2", batch=2, kernel="plain_attention"),
    make_case("plain_causal", seq=70, heads=1, causal=True, kernel="plain_attention"),
    make_case(
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
    make_case(
        "plain_cached",
        hardware=SMALL_HARDWARE,
        batch=2,
        seq=5,
        kv_seq=37,
        head_dim=16,
        causal=True,
        kernel="plain_attention",
    ),
    make_case(
        "plain_vision", hardware=SMALL_HARDWARE, seq=33, head_dim=40, kernel="plain_attention", sigma=1.0
    ),
    make_case(
        "plain_grouped",
        hardware=SMALL_HARDWARE,
        seq=16,
        heads=4,
        kv_heads=2,
        head_dim=16,
        causal=True,
        kernel="plain_attention",
    ),
    make_case(
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
    make_case("linear", seq=64, kernel="linear", in_features=576, out_features=576),
    make_case(
        "linear_16x4",
        hardware=SMALL_HARDWARE,
        seq=64,
        kernel="linear",
        in_features=576,
        out_features=576,
        simulators=(),
    ),
)

#: RMSNorm and the residual add, alone and around a linear layer; ragged: more features than a row, but no
#: multiple of it, and rows that fill no block.
NORM_CASES: tuple[Case, ...] = (
    make_case("rms_norm", kernel="rms_norm", batch=2, seq=16, features=576),
    make_case(
        "rms_norm_ragged",
        hardware=SMALL_HARDWARE,
        kernel="rms_norm",
        batch=2,
        seq=5,
        features=300,
        data="outliers",
        simulators=("verilator", "icarus"),
    ),
    make_case(
        "residual_add",
        hardware=SMALL_HARDWARE,
        kernel="residual_add",
        batch=2,
        seq=5,
        features=40,
        simulators=("verilator", "icarus"),
    ),
    make_case("norm_linear_residual", kernel="norm_linear_residual", batch=2, seq=16, features=192),
    make_case(
        "norm_linear_residual_ragged",
        hardware=SMALL_HARDWARE,
        kernel="norm_linear_residual",
        batch=2,
        seq=5,
        features=44,
        simulators=("verilator", "icarus"),
    ),
)

#: Every case by name.
CASES: dict[str, Case] = {
    case.name: case
    for case in (
        make_case("mha", tolerance=BF16_LIMITED),
        make_case("mha_batch1", batch=1),
        make_case("mha_batch2", batch=2),
        make_case("mha_batch2_sub64", hardware=SMALL_HARDWARE, batch=2, simulators=("verilator", "icarus")),
        make_case("mha_causal_tiles", seq=128, heads=1, causal=True),
        make_case(
            "mha_ragged",
            hardware=SMALL_HARDWARE,
            batch=3,
            seq=20,
            heads=1,
            head_dim=24,
            causal=True,
            simulators=("verilator", "icarus"),
        ),
        make_case(
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
        make_case(
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
        make_case(
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
        make_case(
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
        make_case(
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
        make_case(
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
        make_case(
            "decode_batch",
            batch=4,
            seq=1,
            kv_seq=200,
            causal=True,
            kernel="decode_attention",
        ),
        make_case(
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
        make_case("mha_head72", batch=2, seq=20, kv_seq=70, head_dim=72, causal=True, sigma=1.0),
        make_case(
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
        *NORM_CASES,
    )
}


def command(case: Case) -> str:
    """What to type to run a case that is in no registry: `make sim TEST=mha` and its overrides.

    The name and the simulators are lost, and the tolerance becomes that of overrides.
    """
    return " ".join(["make sim TEST=mha", *overrides.pairs(case, CASES["mha"])])
