"""Where the words of FP_MEM lie that attention uses, counted from the first of its constants."""

from __future__ import annotations

from plena_ref.machine.hardware import Hardware

#: FP_MEM words that the host stages: 0.0, the softmax scale, -infinity; with WINDOW the lowest finite bf16.
FP_ZERO, FP_SCALE, FP_NEG_INF, FP_LOWEST = 0, 1, 2, 3
#: First FP_MEM word of the softmax state: running maximum, rescale factor and sum, MLEN words each.
FP_STATE = 10


def fp_sinks(hw: Hardware) -> int:
    """First of the FP_MEM words, one per head, that hold the sink logits: after the softmax state."""
    return FP_STATE + 3 * hw.mlen
