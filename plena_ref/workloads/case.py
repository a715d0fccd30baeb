"""One verification case: a machine, a kernel, a problem, a seed, a tolerance."""

from __future__ import annotations

from dataclasses import dataclass, replace

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.resolved import Resolved, resolved
from plena_ref.machine.rules import RuleError
from plena_ref.verdict.tolerance import Tolerance
from plena_ref.workloads import overrides
from plena_ref.workloads.base import AnyProblem, CaseError
from plena_ref.workloads.families import family_of

DEFAULT_HARDWARE = Hardware(64, 16)


#: Above it the squares of scores leave the range of bf16.
SIGMA_MAX = 1e9


@dataclass(frozen=True)
class Case:
    """One verification case.

    Attributes:
        name: as in `make sim TEST=name`.
        problem: what is to be computed, of one family.
        kernel: which of the family's programs computes it.
        hardware: the machine.
        seed: of the inputs.
        sigma: standard deviation of the inputs, which are normally distributed.
        data: kind of the inputs, one that the family knows.
        tolerance: of the comparison with the golden; None means the family's.
        simulators: where the regression runs it.

    Raises:
        CaseError: a rule is broken; the message states it.
    """

    name: str
    problem: AnyProblem
    kernel: str
    hardware: Hardware = DEFAULT_HARDWARE
    seed: int = 0
    sigma: float = 1.5
    data: str = "normal"
    tolerance: Resolved[Tolerance] = resolved()
    simulators: tuple[str, ...] = ("verilator",)

    def __post_init__(self) -> None:
        """Resolve the tolerance, and check every rule that needs no memory plan."""
        if self.tolerance is None:
            object.__setattr__(self, "tolerance", self.problem.tolerance(self.hardware))
        kinds, kernels = self.problem.data_kinds, self.problem.kernels
        if self.kernel not in kernels:
            raise CaseError(f"{self.name}: KERNEL must be one of {', '.join(kernels)} (got {self.kernel})")
        if self.data not in kinds:
            raise CaseError(f"{self.name}: DATA must be one of {', '.join(kinds)} (got {self.data})")
        if not 0 < self.sigma <= SIGMA_MAX:
            raise CaseError(f"{self.name}: SIGMA must be positive, at most {SIGMA_MAX:g} (got {self.sigma})")
        if self.seed < 0:
            raise CaseError(f"{self.name}: SEED must not be negative (got {self.seed})")
        try:
            self.problem.check(self)
        except RuleError as error:
            raise CaseError(f"{self.name}: {error}") from None

    def override(self, **values: object) -> Case:
        """This case with other values; keys are fields of the problem, of the case or of its hardware.

        Keys may be in capitals; values may be strings as a command line gives them. The result is judged by
        `Problem.tolerance_of_overrides`: the tolerance of a registered case holds for its own data. A
        follower, such as KV_SEQ of SEQ, goes on following unless it was different before or is given.

        Raises:
            CaseError: an unknown key, a value that cannot be read, or a combination that breaks a rule.
        """
        if not values:
            return self
        try:
            given = overrides.parse(values)
            problem = overrides.problem(self.problem, self.kernel, given)
            hardware = overrides.hardware(self.hardware, given.hardware)
        except ValueError as error:
            raise CaseError(f"{self.name}: {error}") from None
        tolerance = problem.tolerance_of_overrides(hardware)
        return replace(self, problem=problem, hardware=hardware, tolerance=tolerance, **given.case)


def make_case(
    name: str,
    hardware: Hardware = DEFAULT_HARDWARE,
    kernel: str = "attention",
    *,
    seed: int = 0,
    sigma: float = 1.5,
    data: str = "normal",
    tolerance: Tolerance | None = None,
    simulators: tuple[str, ...] = ("verilator",),
    **problem: object,
) -> Case:
    """A case of the family that `kernel` belongs to; the other keywords are the fields of its problem.

    Raises:
        CaseError: a field that the family does not have or does not get, or a rule is broken.
    """
    try:
        family = family_of(kernel)
        made = overrides.make(family, kernel, problem)
    except ValueError as error:
        raise CaseError(f"{name}: {error}") from None
    return Case(name, made, kernel, hardware, seed, sigma, data, tolerance, simulators)
