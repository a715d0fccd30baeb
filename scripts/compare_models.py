"""Greedy tokens of 20 prompts by this project's loader and golden, and by Hugging Face transformers.

``python -m scripts.compare_models MODEL=file.gguf [PROMPTS=file] [TOKENS=16]``, in an environment of its own:
``pip install transformers torch gguf tokenizers ml_dtypes``. The other implementation reads the file, its
tokenizer and its chat template by itself; nothing of it is used here but for the comparison. Exits 1 when a
token differs and the two best logits are further apart than float32 can confuse.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from plena_ref.golden.language_model import KvCache, forward
from plena_ref.models.checkpoint import Checkpoint, ModelFileError
from plena_ref.models.gguf_file import read_gguf
from plena_ref.models.tokenizer import Tokenizer
from tb.bench import command, options

PROMPTS = Path(__file__).with_name("prompts.txt")
#: Logits that float32 in another order of additions may exchange.
CONFUSABLE = 1e-2


Theirs = Any  # Any: of the package transformers, which is not installed here


def ours(
    model: Checkpoint, tokenizer: Tokenizer, prompt: str, count: int
) -> tuple[list[int], list[int], list[float]]:
    """Prompt ids, greedy ids, and how far the best logit lies above the second at each step."""
    ids = tokenizer.encode_chat(prompt)
    cache, new = KvCache(), ids
    answer: list[int] = []
    margins: list[float] = []
    while len(answer) < count and (not answer or answer[-1] != tokenizer.end):
        logits = forward(model.weights, new, cache)[-1]
        second, best = np.sort(logits)[-2:]
        answer.append(int(logits.argmax()))
        margins.append(float(best - second))
        new = answer[-1:]
    return ids, answer, margins


def theirs(
    model: Theirs,
    tokenizer: Theirs,
    prompt: str,
    count: int,
) -> tuple[list[int], list[int]]:
    """Prompt ids and greedy ids of transformers, with its own tokenizer; no system prompt."""
    import torch

    text = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    with torch.no_grad():
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=count,
            do_sample=False,
            eos_token_id=2,
            pad_token_id=2,
        )
    return ids[0].tolist(), out[0, ids.shape[1] :].tolist()


def main(arguments: list[str]) -> int:
    """Compare and print a line a prompt."""
    given = options.parse(arguments)
    if "MODEL" not in given:
        raise options.UsageError("MODEL= is missing")
    path, count = Path(given.pop("MODEL")), options.take_integer(given, "TOKENS", 16, 1, 512)
    prompts = Path(given.pop("PROMPTS", PROMPTS)).read_text().splitlines()
    options.refuse_unknown(given, ("MODEL", "TOKENS", "PROMPTS"))
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        checkpoint = read_gguf(path)
    except ModelFileError as error:
        return options.fail(error)
    tokenizer = Tokenizer(checkpoint.tokenizer)
    place = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    other_tokenizer = AutoTokenizer.from_pretrained(**place)
    other = AutoModelForCausalLM.from_pretrained(**place, dtype="float32").eval()
    outcomes = []
    for prompt in prompts:
        ids, answer, margins = ours(checkpoint, tokenizer, prompt, count)
        other_ids, other_answer = theirs(other, other_tokenizer, prompt, count)
        pairs = enumerate(zip(answer, other_answer, strict=False))
        differs = next((n for n, pair in pairs if len(set(pair)) > 1), None)
        confusable = differs is None or margins[differs] <= CONFUSABLE
        outcomes.append((ids == other_ids, answer == other_answer, confusable))
        where = "" if differs is None else f"; differs at token {differs}, margin {margins[differs]:.4f}"
        same = "same " if answer == other_answer else "other"
        print(f"{same} {len(answer):3} tokens  {prompt} -> {tokenizer.decode(answer)!r}{where}")
    tokens, answers, _ = (sum(column) for column in zip(*outcomes, strict=True))
    print(f"{tokens} of {len(prompts)} prompts have the same token ids, {answers} the same answer")
    return int(not all(tokens and confusable for tokens, _, confusable in outcomes))


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
