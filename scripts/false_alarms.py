"""Right and slightly wrong runs of attention before the verdict: ``python -m scripts.false_alarms``.

Draws CASES cases by their numbers, from FIRST on: kernels, shapes, masks, data. Each runs on the reference
machine twice: as it is, and with every weight one bf16 unit too large. The verdict must accept the first run,
and refuse it with the first head of the second in place of its own. A head of few rows is too small for that,
equal weights change together, which their sum takes away, and of tiny numbers bits are flushed: these count
apart. Exits 1 where the verdict is wrong. docs/accuracy.md has the numbers.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.error_prediction import predict
from plena_ref.isa import instructions as isa
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.verdict.accuracy import accurate, result_values
from plena_ref.verdict.vacuity import prove, wrong_results
from plena_ref.workloads.base import CaseError, Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from tb.bench import command, options

F64 = NDArray[np.float64]

MACHINES = tuple(
    Hardware(mlen, blen, hlen, vram_elems=1 << 14, msram_tiles=16, hbm_bytes=1 << 16)
    for mlen, blen, hlen in ((8, 4, 8), (8, 8, 4), (16, 4, 8))
)
_KERNELS = ("attention", "plain_attention", "packed_attention")
_DECODE = ("decode_attention", "decode_attention_one_row", "decode_attention_blocks")
#: One in so many cases has sinks, or a window, or data other than normal.
_SELDOM = 4
#: A head with so many rows is large enough for a wrong weight to be seen.
ROWS = 8


def _sizes(rng: np.random.Generator, hw: Hardware, kernel: str) -> dict[str, int]:
    """Sizes and masks of a problem; not each is legal."""
    decode = kernel in _DECODE
    seq = 1 if decode else int(rng.integers(1, 21))
    cached = int(rng.integers(1, 60)) if decode else int(rng.integers(0, 40)) * int(rng.integers(2))
    kv_heads, group = (int(rng.integers(1, 3)) for _ in range(2))
    sizes: dict[str, int] = {
        "batch": int(rng.integers(1, 4)),
        "seq": seq,
        "kv_seq": seq + cached,
        "heads": kv_heads * group,
        "kv_heads": kv_heads,
        "head_dim": int(rng.choice([8, 8, 12, 16, 24])),
        "causal": bool(rng.integers(2)),
    }
    if kernel == "packed_attention":
        in_tile = hw.mlen // max(hw.hlen, hw.blen)
        sizes |= {"kv_heads": in_tile, "heads": in_tile * hw.lanes, "head_dim": hw.hlen}
    if sizes["causal"] and kernel != "plain_attention" and rng.integers(_SELDOM) == 0:
        sizes["window"] = int(rng.integers(1, seq + cached + 1))
    if (decode or kernel == "attention") and rng.integers(_SELDOM) == 0:
        sizes["sinks"] = True
    return sizes


def draw(number: int) -> Case:
    """The case with a number; illegal ones are drawn again."""
    rng = np.random.default_rng(number)
    while True:
        hw, kernel = (
            MACHINES[rng.integers(len(MACHINES))],
            str(rng.choice([*_KERNELS[:1] * 3, *_KERNELS, *_DECODE])),
        )
        data = "normal" if rng.integers(_SELDOM) else str(rng.choice(["equal_keys", "tiny"]))
        seed, sigma = int(rng.integers(1 << 30)), float(rng.choice([0.75, 1.0, 1.5]))
        sizes = _sizes(rng, hw, kernel)
        try:
            case = make_case(
                "drawn",
                hw,
                kernel,
                seed=seed,
                sigma=sigma,
                data=data,
                tolerance=None,
                simulators=("verilator",),
                **sizes,
            )
            build(case)
        except CaseError:
            continue
        return case


def result(work: Workload, wrong_weights: bool = False) -> F64:
    """What the reference machine makes of a workload.

    Args:
        work: the workload.
        wrong_weights: every weight, exp(score - maximum), is one bf16 unit too large.

    Returns:
        batch x seq x heads x head_dim.
    """
    machine, mlen = Machine(work.hardware, work.images.copy(), work.limit), work.hardware.mlen

    def watch(pc: int, step: Callable[[], int | None]) -> Callable[[], int | None]:
        word = work.words[pc]
        if isa.decode_trap(word) is not None or isa.BY_OPCODE[isa.opcode(word)].mnemonic != "V_EXP_V":
            return step

        def then_enlarge() -> int | None:
            place = int(machine.gp[isa.RD.get(word)])
            after = step()
            row = machine.images.vram[place : place + mlen]
            # Rows of zeros and ones alone are masks.
            if not np.isin(row, (0, 0x3F80)).all():
                row[row > 0] += 1
            return after

        return then_enlarge

    machine.run(work.words, watch=watch if wrong_weights else None)
    return result_values(work, machine.images.vram)


@dataclass(frozen=True)
class Trial:
    """What the verdict said of a case.

    Attributes:
        accepted: the right run passes.
        vacuous: wrong results that would pass.
        tolerance: the largest error by its tolerance, where every element has one.
        of_prediction: the largest error by the one that the model of the roundings has; 1 where both are 0.
        wrong_weights: the run with wrong weights in its first head is refused; None: it is the same run.
        normal: data are normal.
        large: heads have at least `ROWS` rows, all batches together, and data are normal.
    """

    accepted: bool
    vacuous: tuple[str, ...]
    tolerance: float
    of_prediction: float
    wrong_weights: bool | None
    normal: bool
    large: bool


def judge(case: Case) -> Trial:
    """Run a case both ways, and ask the verdict."""
    work = build(case)
    got, wrong = result(work), result(work, wrong_weights=True)
    mixed = got.copy()
    mixed[:, :, 0] = wrong[:, :, 0]
    known = {**wrong_results(work.golden), **case.problem.wrong_results(case)}
    vacuity = prove(work.golden, work.deviation, known, lambda values: accurate(work, values))
    error, predicted = np.abs(got - work.golden), predict(case.problem.roundings(case)).maximum
    share = 0.0
    if work.interval is not None:
        lower, upper = work.interval
        reach = np.where(got > work.golden, upper - work.golden, work.golden - lower)
        share = float(np.divide(error, reach, out=np.zeros_like(error), where=error > 0).max())
    largest = float(error.max())
    return Trial(
        accurate(work, got),
        vacuity.vacuous,
        share,
        1.0 if largest == predicted else largest / predicted if predicted else np.inf,
        None if np.array_equal(mixed, got) else not accurate(work, mixed),
        case.data == "normal",
        got.shape[0] * got.shape[1] >= ROWS and case.data == "normal",
    )


def summary(trials: Sequence[Trial]) -> Iterable[str]:
    """What came of them, a line each."""
    ratios = [trial.of_prediction for trial in trials if trial.normal]
    yield f"{len(trials)} correct runs: {sum(not trial.accepted for trial in trials)} refused"
    yield f"{sum(bool(trial.vacuous) for trial in trials)} verdicts VACUOUS"
    yield f"largest error by its tolerance: {max(trial.tolerance for trial in trials):.3f}"
    yield f"largest error of a run by the predicted one, normal data: {min(ratios):.4f} to {max(ratios):.4f}"
    for name, large in (("a large head", True), ("another head", False)):
        seen = Counter(trial.wrong_weights for trial in trials if trial.large is large)
        yield f"one unit in every weight of {name}: {seen[True]} refused, {seen[False]} accepted"


def main(arguments: Sequence[str]) -> int:
    """Run and judge; 1 where the verdict is wrong."""
    try:
        given = options.parse(arguments)
        count = options.take_integer(given, "CASES", 2000, 1, 10**6)
        first = options.take_integer(given, "FIRST", 0, 0, 10**9)
        if given:
            raise options.UsageError(f"unknown option {next(iter(given))}; there are CASES, FIRST")
    except options.UsageError as error:
        return options.fail(error)
    trials, wrong = [], False
    for number in range(first, first + count):
        trial = judge(draw(number))
        trials.append(trial)
        missed = trial.wrong_weights is False and trial.large
        if missed or trial.vacuous or not trial.accepted:
            wrong = True
            print(f"case {number}: {draw(number)}: {trial}")
    print("\n".join(summary(trials)))
    return int(wrong)


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
