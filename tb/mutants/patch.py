"""A fault in the running process: functions get the code of their module's changed text, and theirs back.

Everybody who holds a function holds the faulty one, whatever way it was imported.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from types import CodeType, FunctionType, ModuleType


class PatchError(ValueError):
    """The changed text is no module with the same functions; the message says what is wrong."""


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code of every function in a module's code, however deep."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _function(module: ModuleType, qualified: str) -> FunctionType | None:
    """The function of a module by its qualified name; None for one inside a function."""
    value: object = module
    for part in qualified.split("."):
        if part == "<locals>" or isinstance(value, FunctionType):
            return None
        value = inspect.getattr_static(value, part, None)
    if isinstance(value, property):
        value = value.fget
    elif isinstance(value, classmethod | staticmethod):
        value = value.__func__
    elif isinstance(value, cached_property):
        value = value.func
    # Of a decorated function it is the one inside, which its wrapper calls.
    return inspect.unwrap(value) if isinstance(value, FunctionType) else None


@contextmanager
def patched(module_name: str, text: str) -> Iterator[list[str]]:
    """Run the functions of a module as `text` has them; yields the names of those that differ.

    Raises:
        PatchError: the text cannot be compiled, or no function of the module differs in it.
    """
    module = importlib.import_module(module_name)
    try:
        changed = compile(text, module.__file__ or module_name, "exec")
    except SyntaxError as error:
        raise PatchError(f"{module_name}: {error}") from None
    originals: list[tuple[FunctionType, CodeType]] = []
    names: list[str] = []
    try:
        for code in _codes(changed):
            function = _function(module, code.co_qualname)
            if function is not None and function.__code__ != code:
                originals.append((function, function.__code__))
                names.append(code.co_qualname)
                function.__code__ = code
        if not names:
            raise PatchError(f"{module_name}: no function differs")
        yield names
    finally:
        for function, code in originals:
            function.__code__ = code
