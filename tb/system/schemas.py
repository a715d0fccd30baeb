"""The schemas of the result files (docs/schemas), and what they say against what a command left."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from tb.engine.paths import REPO

Schema = Mapping[str, Any]  # Any: JSON Schema, each part with the fields of its kind
#: The schemas by the names of their files, in the order of docs/result.md; the others refer to the last.
NAMES = ("result", "stats", "build_stats", "bench", "report", "common")


def load(name: str) -> Schema:
    """A schema by the name of its file, without the ending."""
    file = REPO / "docs" / "schemas" / f"{name}.schema.json"
    schema: Schema = json.loads(file.read_text(encoding="utf-8"))
    return schema


@functools.cache
def validator(name: str) -> Draft202012Validator:
    """The validator of a file, by the name of its schema."""
    resources = [(f"{one}.schema.json", Resource.from_contents(load(one))) for one in NAMES]
    registry: Registry[bool | Schema] = Registry().with_resources(resources)
    return Draft202012Validator(load(name), registry=registry)


def errors(name: str, content: object) -> list[str]:
    """What a schema says against a content, with the place of each."""
    return [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(content)]
