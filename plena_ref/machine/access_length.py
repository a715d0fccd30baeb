"""How far the accesses of an instruction reach on a machine."""

from __future__ import annotations

from plena_ref.isa.access import Access, Count
from plena_ref.isa.policies import POLICIES
from plena_ref.machine.hardware import Hardware


def access_length(hw: Hardware, access: Access, policy: int) -> int:
    """Rows (VRAM, HBM) or words (FP_MEM, INT_MEM) of an access.

    Args:
        hw: the machine.
        access: what an instruction reads or writes.
        policy: the instruction's field rs3, which chooses the policy of a V_TOPK; others' means nothing here.
    """
    if access.count is Count.LOGITS:
        return -(-POLICIES[policy].logits // hw.mlen)
    if access.count is Count.CHOSEN:
        return POLICIES[policy].chosen
    return {
        Count.ONE: 1,
        Count.BLEN: hw.blen,
        Count.MLEN: hw.mlen,
        Count.LANES: hw.lanes,
        Count.HEADS: hw.lanes * hw.mlen,
        Count.VPREF: hw.vpref,
        Count.VSTORE: hw.vstore,
    }[access.count]
