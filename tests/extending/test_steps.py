"""The mechanism of the extending tests: pages that can be read, steps that apply, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.extending.steps import Command, StepError, Variant, apply, parse

PAGE = """# A page

```sh
this block belongs to no step
```

## 1. A change

Prose.

In `a/<file>.py` (small):
```diff
 first
-second
+<name> = "<unknown>"
 third
```

Left out: `python -m check <name>` says "no <name>".

## 2. A file and commands

New file `b/<name>.txt`:
```text
<name>
```

Commands (large):
```sh
python -m one
python -m two
```

Left out (large): `python -m check` says "a "quoted" text".
"""
SMALL = Variant({"file": "x", "name": "V_ABS"}, frozenset({"small"}))


def test_a_page_is_read() -> None:
    first, second = parse(PAGE, "page")
    assert (first.number, first.title) == (1, "A change")
    (edit,) = first.actions
    assert edit.old == "first\nsecond\nthird\n" and edit.new == 'first\n<name> = "<unknown>"\nthird\n'
    assert [action.text for action in second.actions if isinstance(action, Command)] == [
        "python -m one",
        "python -m two",
    ]
    assert second.left_out[0].message == 'a "quoted" text'
    assert first.concerns(SMALL) and not first.concerns(Variant({}))
    assert SMALL.fill(first.left_out[0].message) == "no V_ABS"


def test_edits_apply_exactly_once(tmp_path: Path) -> None:
    steps = parse(PAGE, "page")
    file = tmp_path / "a" / "x.py"
    file.parent.mkdir()
    file.write_text("zero\nfirst\nsecond\nthird\n")
    apply(steps[0].actions[0], SMALL, tmp_path, "step 1")
    assert file.read_text() == 'zero\nfirst\nV_ABS = "<unknown>"\nthird\n'
    with pytest.raises(StepError, match=r"step 1: a/x.py has this text 0 times"):
        apply(steps[0].actions[0], SMALL, tmp_path, "step 1")
    file.write_text("first\nsecond\nthird\n" * 2)
    with pytest.raises(StepError, match="2 times"):
        apply(steps[0].actions[0], SMALL, tmp_path, "step 1")
    file.unlink()
    with pytest.raises(StepError, match=r"there is no a/x.py"):
        apply(steps[0].actions[0], SMALL, tmp_path, "step 1")
    apply(steps[1].actions[0], SMALL, tmp_path, "step 2")
    assert (tmp_path / "b" / "V_ABS.txt").read_text() == "V_ABS\n"
    with pytest.raises(StepError, match="exists already"):
        apply(steps[1].actions[0], SMALL, tmp_path, "step 2")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("## 2.", "## 3.", "numbered 1, 2"),
        ("```diff", "```python", "is a diff block, not 'python'"),
        ("-second\n+<name>", " second\n#<name>", "begins with a space"),
        ('-second\n+<name> = "<unknown>"\n', " second\n", "and a change"),
        ('says "no <name>".', "says no.", "expected: Left out"),
        ('Left out: `python -m check <name>` says "no <name>".\n', "", "step 1: no check is named"),
        ("python -m two\n```", "python -m two", "does not end"),
        ("In `a/<file>.py` (small):\n", "", "step 1: nothing to do"),
    ],
)
def test_what_is_refused(old: str, new: str, reason: str) -> None:
    assert old in PAGE
    with pytest.raises(StepError, match=reason):
        parse(PAGE.replace(old, new), "page")
