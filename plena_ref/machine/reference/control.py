"""Control instructions: address, scale, stride and mask registers, hardware loops, and the stop."""

from __future__ import annotations

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.reference.core import Core, Trap
from plena_ref.machine.reference.step import Break, Coded, Step


def set_address(core: Core, code: Coded) -> Step:
    """The step of shape SET_ADDRESS."""
    gp, a = core.gp, core.a
    destination, high, low = code.get(isa.RD), code.get(isa.RS1), code.get(isa.RS2)

    def step() -> None:
        a[destination] = gp[high] << 32 | gp[low]

    return step


def set_scale(core: Core, code: Coded) -> Step:
    """The step of shape SET_SCALE."""
    gp, source = core.gp, code.get(isa.RD)

    def step() -> None:
        core.scale = gp[source]

    return step


def set_stride(core: Core, code: Coded) -> Step:
    """The step of shape SET_STRIDE."""
    gp, source = core.gp, code.get(isa.RD)

    def step() -> None:
        core.stride = gp[source]

    return step


def set_v_mask(core: Core, code: Coded) -> Step:
    """The step of shape SET_V_MASK."""
    gp, source = core.gp, code.get(isa.RD)
    return lambda: core.set_v_mask(gp[source])


def loop_start(core: Core, code: Coded) -> Step:
    """The step of shape LOOP_START."""
    gp, loops, depth = core.gp, core.loops, core.hw.loop_depth
    counter, trips, body = code.get(isa.RD), code.get(isa.IMM22), code.pc + 1

    def step() -> None:
        if trips == 0 or counter == 0:
            raise Trap(TrapCause.LOOP_COUNT)
        if len(loops) >= depth:
            raise Trap(TrapCause.LOOP_OVERFLOW)
        gp[counter] = trips
        loops.append((counter, body))

    return step


def loop_end(core: Core, code: Coded) -> Step:
    """The step of shape LOOP_END."""
    gp, loops, counter = core.gp, core.loops, code.get(isa.RD)

    def step() -> int | None:
        if not loops or loops[-1][0] != counter:
            raise Trap(TrapCause.LOOP_MISMATCH)
        if gp[counter] > 1:
            gp[counter] -= 1
            return loops[-1][1]
        gp[counter] = 0
        loops.pop()
        return None

    return step


def stop(_core: Core, _code: Coded) -> Step:
    """The step of shape STOP."""

    def step() -> None:
        raise Break

    return step
