"""docs/influences.md holds the rows of today's tests."""

from __future__ import annotations

from tests.influences import rows


def test_the_document_is_up_to_date() -> None:
    text = rows.DOCUMENT.read_text(encoding="utf-8")
    assert rows.with_tables(text) == text, "run `python -m tests.influences.rows`"
