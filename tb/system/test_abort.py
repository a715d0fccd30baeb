"""The watchdog on a slow or dead bus, and CTRL.ABORT: a start behind it works, and no byte of it is wrong."""

from __future__ import annotations

import pytest

from plena_ref.isa import csr
from plena_ref.isa.assembler import assemble
from plena_ref.machine.reference import Machine
from tb.bench.harness import Job, JobResult, Stall, run
from tb.bench.job import CHANNELS
from tb.engine import simulate
from tb.fuzz.random_programs import generate
from tb.system.equivalence import DIRECTED, bounded, memory_differences, random_images, register_differences

IMAGES = random_images(DIRECTED, 31)
PREFETCH = assemble("H_PREFETCH_V gp0, gp0, a0, 0, 0")

#: Loads, products and stores in turn, over more lines than are fetched ahead.
TRAFFIC = assemble(
    "S_LUI_INT gp1, 8\nC_SET_SCALE_REG gp1\nS_ADDI_INT gp2, gp0, 2048\nS_ADDI_INT gp3, gp0, 128\n"
    + "H_PREFETCH_M gp0, gp0, a0, 0, 0\nH_PREFETCH_V gp3, gp2, a0, 0, 0\nM_MM 0, gp0, gp3\n"
    "M_MM_WO gp3, gp0, 0\nV_EXP_V gp3, gp3\nH_STORE_V gp3, gp2, a0, 0, 0\nS_ADDI_INT gp2, gp2, 24\n"
    "S_ADD_FP f1, f1, f2\nV_RED_SUM f1, gp3\n" * 20
)
FOLLOWER = generate(DIRECTED, 5, 120, trap_probability=0, wild_probability=0)


def status(result: JobResult) -> set[str]:
    """The bits of STATUS that are set, by name."""
    register = csr.REGISTERS["STATUS"]
    return {field.name for field in register.fields if result.control[register.offset] >> field.lsb & 1}


def victim(**settings: object) -> Job:
    """TRAFFIC on a bus that something is wrong with."""
    return bounded(TRAFFIC, IMAGES, None, **{"watchdog": 900, "drain_limit": 300, "latency": 20, **settings})


def follower(**settings: object) -> Job:
    """A random program with all memories staged anew, behind an abort."""
    job = {"reset": False, "abort_first": True, "latency": 20, **settings}
    return bounded(FOLLOWER.words, FOLLOWER.images, FOLLOWER.limit, **job)


def wrong(names: list[str], results: list[JobResult]) -> list[str]:
    """Each way in which a follower differs from the reference machine, and each violation of the protocol."""
    machine = Machine(DIRECTED, FOLLOWER.images.copy(), FOLLOWER.limit)
    report = machine.run(FOLLOWER.words)
    found = []
    for name, before, after in zip(names, results[::2], results[1::2], strict=True):
        lines = [f"ended as {after.status} {sorted(status(after))}"] if after.status != "stopped" else []
        lines += memory_differences(after.images, machine.images)
        lines += register_differences(after.registers, report.registers)
        lines += ["hang"] if before.status == "hang" else []
        lines += ["violations of the AXI protocol"] if before.protocol_errors + after.protocol_errors else []
        found += [f"{name}: {line}" for line in lines]
    return found


# Watchdog


def test_the_watchdog_expires_in_a_drain() -> None:
    """A program whose transfer outlasts the watchdog is reported, and has ended as if there were none."""
    jobs = [
        bounded(PREFETCH, IMAGES, latency=1000, watchdog=1500),
        bounded(PREFETCH, IMAGES, latency=1000, watchdog=10_000, reset=False),
    ]
    late, free = run(DIRECTED, jobs).jobs
    assert (late.status, late.cause, late.pc) == ("trap", "WATCHDOG", len(PREFETCH))
    assert (free.status, free.cause, free.pc) == ("stopped", None, len(PREFETCH))
    assert late.cycles == free.cycles > 2000
    assert status(late) == {"TRAPPED"} and not late.undrained
    assert not memory_differences(late.images, free.images)


@pytest.mark.not_nightly("131,000 cycles")
def test_the_watchdog_expires_on_the_slowest_bus() -> None:
    """WATCHDOG=70000 LATENCY=65535: a prefetch waits twice, for elements and for scales; that is reported."""
    slow = bounded(PREFETCH, IMAGES, latency=65_535, watchdog=70_000, timeout=200_000)
    (late,) = run(DIRECTED, [slow]).jobs
    assert (late.status, late.cause, late.pc) == ("trap", "WATCHDOG", len(PREFETCH))
    assert status(late) == {"TRAPPED"} and not late.undrained
    assert 2 * 65_535 < late.cycles < 70_000 + csr.DRAIN_LIMIT_RESET


def test_the_watchdog_is_exact_at_the_end_of_a_drain() -> None:
    """A program of n cycles may have a watchdog of n cycles, and not of n - 1."""
    cycles = run(DIRECTED, [bounded(PREFETCH, IMAGES)]).jobs[0].cycles
    jobs = [bounded(PREFETCH, IMAGES, watchdog=cycles + more) for more in (0, -1)]
    assert [result.cause for result in run(DIRECTED, jobs).jobs] == [None, "WATCHDOG"]


def test_the_watchdog_and_a_bus_error_in_one_drain() -> None:
    """CAUSE is the watchdog, and STATUS says that a transfer failed; alone, the error is the cause."""
    jobs = [
        bounded(PREFETCH, IMAGES, latency=1000, error_range=(0, 64), watchdog=watchdog)
        for watchdog in (1500, 0)
    ]
    both, error = run(DIRECTED, jobs).jobs
    assert (both.cause, status(both)) == ("WATCHDOG", {"TRAPPED", "BUS_ERROR"})
    assert (error.cause, error.pc, status(error)) == ("HBM_ERROR", 0, {"TRAPPED", "BUS_ERROR"})


@pytest.mark.parametrize("limit", [0, 1, 100])
def test_a_drain_is_given_up(limit: int) -> None:
    """A machine that cannot drain says so DRAIN_LIMIT cycles later, and starts again only after an abort."""
    stuck = bounded(PREFETCH, IMAGES, stall=Stall("r", 1), watchdog=500, drain_limit=limit)
    again = bounded(PREFETCH, None, reset=False)
    resumed = bounded(PREFETCH, None, reset=False, resume_pc=0)
    first, second, third, last = run(DIRECTED, [stuck, again, resumed, follower()]).jobs
    assert (first.status, first.cause, first.pc) == ("trap", "WATCHDOG", len(PREFETCH))
    assert first.undrained and status(first) == {"TRAPPED", "UNDRAINED"}
    assert first.cycles == 500 + limit + 1
    for refused in (second, third):
        assert refused.status == "refused" and refused.cycles == first.cycles
        assert status(refused) == {"TRAPPED", "UNDRAINED", "REFUSED"}
    assert not wrong(["follower"], [first, last])


# Abort


@pytest.mark.parametrize(
    ("channel", "lose"), [*((channel, False) for channel in CHANNELS), ("r", True), ("b", True)]
)
def test_a_channel_dies(channel: str, lose: bool) -> None:
    """A memory that no longer answers, from many points of a program on; it comes back behind the abort."""
    last = {"ar": 90, "r": 130, "aw": 60, "w": 60, "b": 60}[channel]
    points = [*range(12), *range(12, last, 7)]
    jobs: list[Job] = []
    for number, after in enumerate(points):
        stall = Stall(channel, after, lose)
        jobs += [victim(stall=stall, reset=lose or not jobs, jitter=60 * (number % 2), seed=number)]
        jobs += [follower(jitter=jobs[-1].jitter, latency=(1, 20, 150)[number % 3])]
    results = run(DIRECTED, jobs).jobs
    assert not wrong([f"{channel} dies after {after}" for after in points], results)
    assert sum(result.undrained for result in results[::2]) > len(points) // 3
    assert {result.cause for result in results[::2]} <= {"WATCHDOG", None}


def test_a_channel_dies_on_icarus() -> None:
    """The same on a simulator with four states, at a few points."""
    simulate.require("icarus")
    jobs: list[Job] = []
    names = []
    for channel, after in (("ar", 7), ("r", 30), ("aw", 3), ("w", 5), ("b", 2)):
        jobs += [victim(stall=Stall(channel, after), reset=not jobs), follower()]
        names.append(f"{channel} dies after {after}")
    assert not wrong(names, run(DIRECTED, jobs, "icarus").jobs)


@pytest.mark.parametrize("latency", [1, 30, 300])
def test_abort_at_any_time(latency: int) -> None:
    """A healthy program aborted in many of its cycles; its late answers come in the time of the next one."""
    points = [*range(4, 40, 3), *range(40, 1200, 31)]
    jobs: list[Job] = []
    for number, at in enumerate(points):
        jobs.append(
            victim(abort_at=at, watchdog=0, reset=not jobs, latency=latency, jitter=90 * (number % 2))
        )
        jobs.append(follower(latency=(1, 30, 300)[number % 3]))
    results = run(DIRECTED, jobs).jobs
    assert not wrong([f"aborted at {at}" for at in points], results)
    assert {result.status for result in results[::2]} == {"aborted"}
    for result in results[::2]:
        assert status(result) - {"LATE_READS", "LATE_WRITES"} == {"ABORTED"}
        assert result.cycles == result.instructions == 0 and result.registers.stride == 1
    seen = set().union(*(status(result) for result in results[::2]))
    assert ("LATE_READS" in seen and "LATE_WRITES" in seen) or latency == 1


def test_a_dead_write_channel_stays_dead() -> None:
    """Behind the abort, a program without stores runs; late writes are reported for ever."""
    words = assemble("H_PREFETCH_V gp0, gp0, a0, 0, 0\nV_EXP_V gp0, gp0")
    for channel in ("aw", "w", "b"):
        dead = Stall(channel, 0)
        after = bounded(words, IMAGES, reset=False, abort_first=True, stall=dead)
        first, second = run(DIRECTED, [victim(stall=dead), after]).jobs
        machine = Machine(DIRECTED, IMAGES.copy())
        machine.run(words)
        assert first.undrained and second.status == "stopped"
        assert status(second) == {"STOPPED", "LATE_WRITES"}
        assert not memory_differences(second.images, machine.images)
        assert first.protocol_errors + second.protocol_errors == 0


def test_the_groups_of_ids_run_out() -> None:
    """Four times answers are lost; then a start is refused until a reset."""
    jobs: list[Job] = []
    for _ in range(4):
        jobs += [victim(stall=Stall("r", 20, lose=True), reset=not jobs), follower()]
    jobs += [follower(reset=True)]
    results = run(DIRECTED, jobs).jobs
    assert [result.status for result in results[1::2]] == ["stopped"] * 3 + ["refused"]
    assert status(results[7]) == {"ABORTED", "REFUSED", "NO_IDS", "LATE_READS"}
    assert not wrong(["1", "2", "3"], results[:6])
    assert results[8].status == "stopped" and not wrong(["reset"], [results[6], results[8]])


def test_a_group_comes_back_with_its_answers() -> None:
    """Late answers that come free their group: no number of aborts uses the groups up."""
    jobs: list[Job] = []
    for _ in range(9):
        jobs += [victim(stall=Stall("r", 20), reset=not jobs), follower()]
    results = run(DIRECTED, jobs).jobs
    assert not wrong([str(number) for number in range(9)], results)
    assert "NO_IDS" not in set().union(*(status(result) for result in results))


def test_a_resume_behind_an_abort_is_refused() -> None:
    """The registers are lost, so there is nothing to go on with; a start is possible."""
    jobs = [
        victim(abort_at=100),
        bounded(TRAFFIC, None, reset=False, resume_pc=3),
        follower(abort_first=False),
    ]
    first, second, third = run(DIRECTED, jobs).jobs
    assert first.status == "aborted"
    assert second.status == "refused" and status(second) >= {"ABORTED", "REFUSED"}
    assert not wrong(["start"], [first, third])
