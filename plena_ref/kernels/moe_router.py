"""The router of a mixture of experts: V_TOPK on the logits of every token.

Up to 32 experts 4 are chosen, up to 128 experts 8; logits that are missing to 32 or 128 count as -inf, and so
does NaN. Weights are the softmax over those that were chosen.
"""

from __future__ import annotations

from plena_ref.isa.policies import POLICIES
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import F0, GP0, Program, Register
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region


def policy_of(experts: int) -> int:
    """The policy of V_TOPK for so many experts.

    Raises:
        KernelError: there are more than 128, or fewer than are chosen.
    """
    least, most = POLICIES[0].chosen, POLICIES[-1].logits
    if not least <= experts <= most:
        raise KernelError(f"a router has {least} to {most} experts (got {experts})")
    return next(number for number, policy in enumerate(POLICIES) if experts <= policy.logits)


def chosen_of(experts: int) -> int:
    """How many of so many experts V_TOPK chooses.

    Raises:
        KernelError: as `policy_of`.
    """
    return POLICIES[policy_of(experts)].chosen


class MoeRouterKernel:
    """Weights and numbers of the experts of every token.

    Args:
        hw: the machine.
        logits: tokens x experts; padding columns hold finite numbers.
        weights: tokens x chosen; padding columns become 0.
        chosen: first of the INT_MEM words of the experts' numbers, as many a token as are chosen.
        room: where to take scratch from.

    Raises:
        KernelError: the number of experts has no policy.
        LayoutError: a memory is full.
    """

    def __init__(
        self, hw: Hardware, logits: VramTensor, weights: VramTensor, chosen: int, room: Room
    ) -> None:
        self.hw, self.logits, self.weights, self.chosen = hw, logits, weights, chosen
        self.policy = policy_of(logits.cols)
        self.most, self.count = POLICIES[self.policy].logits, POLICIES[self.policy].chosen
        rows = round_up(self.most, hw.mlen) // hw.mlen
        self.window = room.vram.tensor("logits of a token", rows, hw.mlen)
        self.mask = room.vram.tensor("-inf where there is no expert", 1, hw.mlen)
        self.found = room.fp_mem.take("weights of a token", hw.mlen)

    @property
    def title(self) -> str:
        """What it does."""
        return f"router: {self.count} of {self.logits.cols} experts, {self.logits.rows} tokens"

    def outputs(self) -> list[Region]:
        """Weights, padding columns included, and numbers."""
        end = self.chosen + self.logits.rows * self.count
        rows = self.weights.row_regions(0, self.weights.rows)
        return [*rows, Region("intmem", self.chosen, end, "experts")]

    def scratch(self) -> list[Region]:
        """The logits of a token, the mask, and its weights."""
        tensors = (self.window, self.mask)
        regions = [Region("vram", t.base, t.base + t.elems, t.name) for t in tensors]
        return [*regions, Region("fpmem", self.found, self.found + self.hw.mlen, "weights of a token")]

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        mlen = self.hw.mlen
        purposes = ("logits", "weights", "word of a number", "word of a weight")
        with p.gps(*purposes) as (row, target, number, word):
            self._set_up(p, word)
            p.point(row, self.logits)
            p.point(target, self.weights)
            p.load_constant(number, self.chosen)
            p.load_constant(word, self.found)
            with p.repeat(self.logits.rows, "a token"):
                self._copy(p, row)
                with p.gp("window") as window:
                    p.point(window, self.window)
                    p.V_TOPK(word, window, number, self.policy)
                p.S_MAP_V_FP(target, word, 0)
                p.add(row, row, mlen)
                p.add(target, target, mlen)
                p.add(number, number, self.count)

    def _set_up(self, p: Program, word: Register) -> None:
        """-inf where there is no expert, and words of 0 after the weights."""
        mlen = self.hw.mlen
        p.load_constant(word, self.found)
        with p.repeat(mlen, "words after the weights are 0"):
            p.S_ST_FP(F0, word, 0)
            p.add(word, word, 1)
        with p.fp("-inf") as lowest, p.gps("row", "columns") as (row, columns):
            p.S_RECI_FP(lowest, F0)
            p.S_SUB_FP(lowest, F0, lowest, comment="-inf")
            p.load_constant(columns, mlen)
            for tensor in (self.window, self.mask):
                p.point(row, tensor)
                with p.repeat(tensor.rows, f"{tensor.name}: -inf"):
                    p.V_SHFT_V(row, row, columns)
                    p.V_ADD_VF(row, row, lowest)
                    p.add(row, row, mlen)
            p.point(row, self.mask)
            p.load_constant(columns, self.logits.cols - (self.logits.column_blocks - 1) * mlen)
            p.V_SHFT_V(row, row, columns)

    def _copy(self, p: Program, logits: Register) -> None:
        """The logits of a token to the window, -inf after the last expert."""
        mlen = self.hw.mlen
        with p.gps("column block", "its copy") as (source, target):
            p.add(source, logits, 0)
            p.point(target, self.window)
            with p.repeat(self.logits.column_blocks, "a column block of logits"):
                p.V_SHFT_V(target, source, GP0)
                p.add(source, source, self.logits.block_stride)
                p.add(target, target, mlen)
            if self.logits.cols % mlen:
                with p.gp("mask") as mask:
                    p.point(mask, self.mask)
                    p.add(target, target, -mlen)
                    p.V_ADD_VV(target, target, mask)
