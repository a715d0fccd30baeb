"""What the counters must count for an instruction, by hand from docs/isa.md."""

from __future__ import annotations

from plena_ref.machine.hardware import Hardware


def work_of(mnemonic: str, policy: int, hw: Hardware) -> tuple[int, int]:
    """Useful multiply-accumulates and vector rows of one instruction (docs/isa.md sections 4 and 5).

    Args:
        mnemonic: as in the assembly text.
        policy: the operand of V_TOPK: 0 takes 32 logits, 1 takes 128; anything for the others.
        hw: machine shape.
    """
    macs = {
        **dict.fromkeys(("M_MM", "M_TMM"), hw.blen * hw.blen * hw.mlen),
        **dict.fromkeys(("M_MV", "M_TMV"), hw.blen * hw.mlen),
        **dict.fromkeys(("M_BMM", "M_BTMM"), hw.mlen**3),
        **dict.fromkeys(("M_BMV", "M_BTMV"), hw.mlen**2),
    }
    if mnemonic == "V_TOPK":
        return 0, max(1, (128 if policy else 32) // hw.mlen)
    return macs.get(mnemonic, 0), int(mnemonic.startswith("V_") or mnemonic == "S_MAP_V_FP")
