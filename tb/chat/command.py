"""Ask a language model as one types it: ``PROMPT=".." [TOKENS= MODEL= SIM= ..]``; ``make chat``.

Exits 0 when every pass passes, 1 when one does not, 2 when nothing could run. The options stand in
docs/language_model.md.
"""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.table import Table

from plena_ref.kernels.language_model.decoder_layers import PassShape
from plena_ref.kernels.language_model.model_memory import ModelMemory
from plena_ref.kernels.language_model.model_pass import ModelPass
from plena_ref.machine.hardware import HardwareError
from plena_ref.machine.rules import RuleError
from plena_ref.models.checkpoint import ModelFileError
from plena_ref.models.hbm_image import read_weights
from plena_ref.models.load import load
from plena_ref.models.tokenizer import Tokenizer
from tb.bench import options
from tb.chat import many
from tb.chat.conversation import Conversation, Loaded, Outcome, Step
from tb.chat.settings import CHUNK, POSITIONS, Settings, parse
from tb.chat.weights_cache import weights_image
from tb.engine import simulate

#: Options that say what is asked and who answers: a process that answers one prompt does not get them.
WHO_AND_WHERE = ("PROMPT", "PROMPTS", "SCHEDULER")


def main(arguments: list[str]) -> int:
    """Answer the prompts that the arguments hold and return the exit status."""
    try:
        settings = parse(arguments)
        others = [word for word in arguments if word.split("=")[0].upper() not in WHO_AND_WHERE]
        if settings.scheduler is not None:
            return many.answer_on(settings.scheduler, settings.prompts, others)
        if settings.on_rtl:
            simulate.find_tool(settings.simulator)
        checkpoint = load(settings.model)
        tokenizer = Tokenizer(checkpoint.tokenizer)
        asked = [tokenizer.encode_chat(prompt) for prompt in settings.prompts]
        for ids in asked:
            if len(ids) + settings.tokens > POSITIONS:
                raise options.UsageError(
                    f"a prompt of {len(ids)} tokens and TOKENS={settings.tokens} do not fit caches of "
                    f"{POSITIONS} positions"
                )
        memory = ModelMemory(settings.hardware, checkpoint.config, POSITIONS, CHUNK)
        ModelPass(memory, PassShape(1, 0))
    except (
        options.UsageError, HardwareError, RuleError, ModelFileError, simulate.SimulatorMissing
    ) as error:  # fmt: skip
        return options.fail(error)
    started = time.monotonic()
    image, made = weights_image(memory, checkpoint)
    seconds = time.monotonic() - started
    print(f"weights in HBM: {'made' if made else 'from the cache'}, {seconds:.1f} s", file=sys.stderr)
    count = many.at_once()
    if len(settings.prompts) > 1 and count > 1:
        return many.answer_all(settings.prompts, others, count)
    quantised = read_weights(memory, checkpoint.weights, image)
    loaded = Loaded(memory, image, tokenizer, quantised, checkpoint.weights)
    passed = True
    for prompt, ids in zip(settings.prompts, asked, strict=True):
        print(f"> {prompt}")
        try:
            outcome = Conversation(loaded, settings, ids, _say).run()
        except (ValueError, simulate.SimulationError) as error:
            return options.fail(error)
        print()
        _report(outcome, settings, tokenizer)
        passed &= outcome.passed
    return 0 if passed else 1


def _say(text: str) -> None:
    """Print a part of the answer."""
    print(text, end="", flush=True)


_HEADS = (
    *("tokens", "cycles", "seconds", "next", "bit-exact"),
    *("float64", "unquantised", "error", "predicted", ""),
)


def _row(step: Step, tokenizer: Tokenizer) -> tuple[str, ...]:
    """A pass, in the order of `_HEADS`."""
    verdict = step.verdict
    token = "" if step.token is None else repr(tokenizer.decode([step.token]))
    return (
        str(step.tokens),
        "" if step.cycles is None else f"{step.cycles:,}",
        f"{step.seconds:.1f}",
        "end" if step.token == tokenizer.end else token,
        "" if step.cycles is None else "no" if step.differences else "yes",
        "same" if verdict.exact_best == verdict.best else f"gap {verdict.gap:.2f}",
        f"{verdict.agreeing} of {verdict.positions}",
        f"{verdict.error:.3f}",
        f"{verdict.deviation:.3f}",
        "PASS" if step.passed else "FAIL",
    )


def _report(outcome: Outcome, settings: Settings, tokenizer: Tokenizer) -> None:
    """Print the passes and the verdict."""
    console = Console(width=110)
    hw = settings.hardware
    console.print(f"MLEN {hw.mlen}, BLEN {hw.blen}, on {settings.simulator}; {outcome.seconds:.0f} s")
    table = Table(title="verdict per pass", title_justify="left")
    for head in _HEADS:
        table.add_column(head, justify="left" if head == "next" else "right")
    for step in outcome.steps:
        table.add_row(*_row(step, tokenizer))
    console.print(table)
    for number, step in enumerate(outcome.steps):
        for reason in step.differences:
            console.print(f"  pass {number}: {reason}", markup=False, soft_wrap=True)
        if step.wrong_stage is not None:
            console.print(f"  pass {number}: {step.wrong_stage.reason}", markup=False, soft_wrap=True)
    stages = [stage for step in outcome.steps for stage in step.stages]
    right = sum(stage.passed for stage in stages)
    console.print(
        f"stages, each from what it read: {right:,} of {len(stages):,} right; the largest error is "
        f"{max(stage.ratio for stage in stages):.3f} of its bound",
        soft_wrap=True,
    )
    if outcome.hbm_equal is not None:
        all_equal = outcome.hbm_equal and not any(step.differences for step in outcome.steps)
        console.print(
            f"bit-exact with the reference machine: {'yes' if all_equal else 'NO'} "
            f"({len(outcome.steps)} passes; all of HBM at the end: {'yes' if outcome.hbm_equal else 'NO'})"
        )
    console.print("PASS" if outcome.passed else "FAIL")
