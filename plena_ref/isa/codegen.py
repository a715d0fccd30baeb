"""Generated files: the RTL's constants and the tables in the documentation.

`python -m plena_ref codegen` writes them, `python -m plena_ref codegen --check` says which are stale.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from plena_ref.isa import documents, verilog, verilog_formats

#: The checkout that holds this package.
ROOT = Path(__file__).resolve().parents[2]


def replace_block(text: str, name: str, body: str) -> str:
    """`text` with the part between the markers `<!-- begin NAME -->` and `<!-- end NAME -->` replaced.

    Raises:
        ValueError: the markers are not there exactly once, in order.
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"expected one '{begin}' before one '{end}'")
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}\n{body}\n{end}{tail}"


def _isa_document(text: str) -> str:
    text = replace_block(text, "instruction table", documents.instruction_table())
    text = replace_block(text, "access table", documents.access_table())
    return replace_block(text, "format table", documents.format_table())


def _microarchitecture(text: str) -> str:
    return replace_block(text, "operation table", documents.operation_table())


#: Each generated file by its path in the checkout: old text to new text.
_PRODUCTS: dict[str, Callable[[str], str]] = {
    "rtl/plena_pkg.sv": lambda _old: verilog.package_text(),
    "docs/registers.md": lambda _old: documents.registers_text(),
    "docs/isa.md": _isa_document,
    "docs/microarchitecture.md": _microarchitecture,
    "rtl/mx_format.svh": lambda _old: verilog_formats.format_text(),
}


def stale(root: Path = ROOT) -> list[str]:
    """Paths of the generated files under `root` that differ from what the tables give, or are missing."""
    result = []
    for path, render in _PRODUCTS.items():
        file = root / path
        old = file.read_text(encoding="utf-8") if file.exists() else ""
        if not file.exists() or render(old) != old:
            result.append(path)
    return result


def write(root: Path = ROOT) -> list[str]:
    """Bring every generated file under `root` up to date; returns the paths that changed."""
    changed = stale(root)
    for path in changed:
        file = root / path
        old = file.read_text(encoding="utf-8") if file.exists() else ""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_PRODUCTS[path](old), encoding="utf-8")
    return changed
