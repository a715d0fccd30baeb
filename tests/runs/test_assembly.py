"""A program as text in the place of a kernel's: what is edited counts, what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from plena_ref.isa.listing import numbered
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES
from tb.bench import assembly, case_command
from tb.bench.options import UsageError


def test_the_listing_of_a_case_is_its_program_again(tmp_path: Path) -> None:
    work = build(CASES["decoder_layer"])
    file = tmp_path / "program.lst"
    file.write_text(numbered(work.listing, work.words))
    again = assembly.read(str(file)).put_into(work)
    assert again.words == work.words and again.sources == work.sources and again.stages is work.stages
    file.write_text(f"C_BREAK\n{file.read_text()}")
    longer = assembly.read(str(file)).put_into(work)
    assert longer.words == [0x34, *work.words] and longer.stages is None and longer.sources == ()
    assert longer.golden is work.golden and longer.images is work.images


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["ASM=", "No such file"]),
        ("C_BREAK\nM_MMM 0, gp1, gp2\n", ["edited.lst:2", "did you mean M_MM?"]),
        ("; nothing\n", ["ASM=", "no instruction"]),
    ],
)
def test_what_is_wrong_is_named(text: str | None, words: list[str], tmp_path: Path, capsys) -> None:
    file = tmp_path / "edited.lst"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError) as error:
        assembly.read(str(file))
    assert all(word in str(error.value) for word in words)
    assert case_command.main(["TEST=mha_batch2", f"ASM={file}"]) == 2
    assert capsys.readouterr().err == f"error: {error.value}\n"
