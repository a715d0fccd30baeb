"""The settings file: what its keys become, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb.peer import settings
from tb.peer.errors import PeerError
from tests.peer.directories import directory, replace_in

MX = """format = "Mx"
block = 8
ELEM = { type = "Fp", sign = true, exponent = 4, mantissa = 3 }
SCALE = { type = "Fp", sign = false, exponent = 8, mantissa = 0 }
"""
PLAIN = 'format = "Plain"\nDATA_TYPE = { type = "Fp", sign = true, exponent = 8, mantissa = 7 }\n'


def write(folder: Path, *tables: str, **config: object) -> Path:
    path = folder / settings.FILE
    lines = [f"[TRANSACTIONAL.CONFIG.{key}]\nvalue = {value}\n" for key, value in config.items()]
    path.write_text("[MODE]\nactive = 'analytic'\n" + "".join(lines) + "".join(tables))
    return path


def test_sizes_and_formats(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        f"[TRANSACTIONAL.PRECISION.HBM_M_WEIGHT_TYPE]\n{MX}",
        f"[TRANSACTIONAL.PRECISION.HBM_V_KV_TYPE]\n{PLAIN}",
        f"[TRANSACTIONAL.PRECISION.VECTOR_SRAM_TYPE]\n{PLAIN}",
        "[TRANSACTIONAL.PRECISION.MX_PHYSICAL_SEMANTICS]\nblock_size = 8\n",
        "[TRANSACTIONAL.LATENCY.VECTOR_ADD_CYCLES]\ndc_lib_en = 1\n",
        MLEN=32,
        VLEN=32,
        HLEN=8,
        BROADCAST_AMOUNT=4,
        MATRIX_SRAM_SIZE=64,
        HBM_SIZE=17179869184,
        HBM_GEN="'HBM2'",
        FP_SRAM_DEPTH=512,
    )
    found = settings.read(path)
    assert (found.mlen, found.hlen, found.blen, found.vpref) == (32, 8, 4, 4)
    assert (found.msram_rows, found.hbm_size, found.fp_words) == (64, 17179869184, 512)
    assert found.plain == {"v1"} and found.mx_block == 8


def test_where_the_file_is_looked_for(tmp_path: Path) -> None:
    inside, above = tmp_path / "b", tmp_path
    inside.mkdir()
    assert settings.find(None, None, (inside, above)) is None
    write(above)
    assert settings.find(None, None, (inside, above)) == above / settings.FILE
    write(inside)
    assert settings.find(None, None, (inside, above)) == inside / settings.FILE
    assert settings.find(None, "named.toml", (inside, above)) == Path("named.toml")
    assert settings.find(Path("given.toml"), "named.toml", (inside, above)) == Path("given.toml")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("CONFIG.MLEN]", "CONFIG.MLENGTH]", r"TRANSACTIONAL\.CONFIG\.MLENGTH: unknown setting"),
        ("value = 16", "value = '16'", r"CONFIG\.MLEN\.value: '16' is no positive integer"),
        ("value = 16", "size = 16", r"CONFIG\.MLEN: must be a table with `value`"),
        ("VLEN]\nvalue = 16", "VLEN]\nvalue = 32", r"CONFIG\.VLEN: 32, but with MLEN 16 .* must be 16"),
        ("AMOUNT]\nvalue = 1", "AMOUNT]\nvalue = 2", r"CONFIG\.BROADCAST_AMOUNT: 2, but with .* must be 1"),
        ("exponent = 4", "exponent = 5", r"HBM_M_WEIGHT_TYPE\.ELEM: .* exponent 5 .* is not supported"),
        ("exponent = 8", "exponent = 5", r"HBM_M_WEIGHT_TYPE\.SCALE: .* is not supported"),
        ('format = "Mx"', 'format = "MxInt"', r"HBM_M_WEIGHT_TYPE\.format: 'MxInt' is not supported"),
        ("block = 8", "block = 16", r"HBM_M_KV_TYPE\.block: 8 is not supported beside \[16\]"),
        ("PRECISION.HBM_M_WEIGHT_TYPE", "PRECISION.HBM_X_TYPE", r"HBM_X_TYPE: unknown setting"),
        ("[TRANSACTIONAL.CONFIG.MLEN]", "[TRANSACTIONAL.CONFIG.MLEN", "no TOML"),
    ],
)
def test_what_is_refused(old: str, new: str, why: str, tmp_path: Path) -> None:
    path = directory(tmp_path) / settings.FILE
    replace_in(path, old, new)
    with pytest.raises(PeerError, match=rf"plena_settings\.toml: .*{why}"):
        settings.read(path)


def test_a_file_without_the_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / settings.FILE).write_text("[MODE]\n")
    with pytest.raises(PeerError, match="TRANSACTIONAL: this table is missing"):
        settings.read(tmp_path / settings.FILE)
    with pytest.raises(PeerError, match="No such file"):
        settings.read(tmp_path / "none.toml")
