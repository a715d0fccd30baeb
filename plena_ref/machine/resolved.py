"""Fields of dataclasses that may be left open and are known afterwards, as a type checker has to see them.

``hlen: Resolved[int] = resolved()`` takes an int or None when the object is made, and is an int to who reads
it: the class's ``__post_init__`` puts the default, which depends on other fields, in the place of None.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Generic, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:

    class Resolved(Generic[T]):
        """Given as T or None, read as T."""

        def __get__(self, instance: object, owner: type | None = None) -> T: ...
        def __set__(self, instance: object, value: T | None) -> None: ...

    def resolved() -> Resolved[T]:
        """A field whose default is None."""

else:

    class Resolved:
        """At run time the annotation of a field is T or None."""

        def __class_getitem__(cls, kind: type) -> object:
            return kind | None

    def resolved() -> object:
        """A field whose default is None."""
        return field(default=None)
