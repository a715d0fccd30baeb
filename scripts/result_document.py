"""docs/result.md from docs/schemas: ``python -m scripts.result_document`` writes it."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from tb.engine.paths import REPO
from tb.system.schemas import NAMES, Schema, load

DOCUMENT = REPO / "docs" / "result.md"

_HEAD = """# Result files

Generated from `docs/schemas` by `python -m scripts.result_document`; edit those files, not this one.

What commands leave for programs is JSON, each file with the number `schema` of its form. A
[JSON Schema](https://json-schema.org/draft/2020-12/schema) of each lies in [schemas](schemas), and tests
validate what every command leaves against it: every field is always there, and no other is.

The number rises when a field goes, or changes its name, type, unit or meaning. A new field leaves it as it
is, so a reader must not mind fields that it does not know. To add one: write it, describe it under
`properties` and `required` of the schema, and make this page again.

Numbers that JSON does not know are the strings "nan", "inf" and "-inf" where the type is "number or text",
and null in `report.json`. Files that a sweep keeps for itself (`build/sweep/results`) have a number of
their own (`tb/sweep/store.py`).
"""


def _type(schema: Schema) -> str:
    """The type of a field in words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return "number or text" if name == "number" else f"[{name}](#{name})"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return ", ".join(f'"{value}"' for value in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    text = " or ".join("text" if kind == "string" else kind for kind in kinds)
    return f"array of {_type(schema['items'])}" if kinds == ["array"] else text


def _rows(schema: Schema, prefix: str = "") -> Iterator[str]:
    """A row of a table for each field, those of objects in it after it."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        optional = "" if name in required else " (not always there)"
        text = field["description"].replace("|", "\\|")
        yield f"| `{prefix}{name}` | {_type(field)} | {text}{optional} |"
        inner, mark = (field["items"], "[].") if field.get("type") == "array" else (field, ".")
        yield from _rows(inner, f"{prefix}{name}{mark}")


def _table(schema: Schema) -> str:
    return "\n".join(["| field | type | meaning |", "|---|---|---|", *_rows(schema)])


def text() -> str:
    """The page."""
    parts = [_HEAD]
    for name in NAMES[:-1]:
        schema = load(name)
        place = f"[{name}.schema.json](schemas/{name}.schema.json)"
        said = textwrap.fill(
            f"{schema['description']} {place}", 110, break_on_hyphens=False, break_long_words=False
        )
        parts.append(f"\n## {schema['title']}\n\n{said}\n\n{_table(schema)}\n")
    parts.append("\n## Parts\n\nWhat several files have in common, and the tables above name.\n")
    for name, schema in load(NAMES[-1])["$defs"].items():
        if "properties" in schema:
            parts.append(f"\n### {name}\n\n{_table(schema)}\n")
    return "".join(parts)


def main(document: Path = DOCUMENT) -> int:
    """Write the page."""
    document.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
