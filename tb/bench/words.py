"""Words that people type: what they may have meant by one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: Share of the letters that must agree before a word is suggested; 0.6 finds one wrong letter in three.
_ALIKE = 0.6
#: Names that are listed where none is alike; the rest is counted.
_LISTED = 120


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like another, whatever the case of their letters; None if none is.

    >>> closest("mha_raged", ["mha", "mha_ragged", "linear"])
    'mha_ragged'
    """
    names = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), names, 1, _ALIKE)
    if found:
        return names[found[0]]
    begun = [name for lower, name in names.items() if len(word) > 2 and lower.startswith(word.lower())]
    return begun[0] if begun else None


def advice(word: str, known: Iterable[str], around: str = "{}") -> str:
    """What an error says after it has named a word that is unknown: the one that was meant, or all there are.

    >>> advice("LATENZY", ["LATENCY", "SIM"], "{}=")
    'did you mean LATENCY=?'
    >>> advice("FOO", ["LATENCY", "SIM"])
    'there are LATENCY, SIM'
    """
    names = list(known)
    close = closest(word, names)
    if close is not None:
        return f"did you mean {around.format(close)}?"
    rest = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"there are {', '.join(names[:_LISTED])}{rest}"
