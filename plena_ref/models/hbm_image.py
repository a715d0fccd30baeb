"""A model's weights as the bytes of HBM, and back: tiles in the order of the stream, the embedding table.

Heads and features are padded to whole tiles by zeros, as `kernels.language_model.weight_tiles` has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.language_model import LayerWeights, ModelWeights, Real
from plena_ref.kernels.language_model.decoder_memory import DecoderMemory
from plena_ref.kernels.language_model.model_memory import ModelMemory
from plena_ref.kernels.language_model.weight_tiles import Panel
from plena_ref.kernels.layout.rules import round_up
from plena_ref.machine.hbm_format import HbmFormat
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

#: Rows of a matrix that are converted at a time: what is made on the way stays small.
_ROWS = 1024


def _encoded(matrix: Real, form: HbmFormat) -> tuple[U8, U8]:
    """Elements and scales of a matrix, blocks along its rows."""
    parts = [form.encode(bf16_from_float(matrix[n : n + _ROWS])) for n in range(0, len(matrix), _ROWS)]
    elements, scales = zip(*parts, strict=True)
    return np.concatenate(elements), np.concatenate(scales)


def _decoded(elements: U8, scales: U8, form: HbmFormat) -> F32:
    """The matrix that the machine reads."""
    return np.concatenate(
        [
            bf16_to_f32(form.decode(elements[n : n + _ROWS], scales[n : n + _ROWS]))
            for n in range(0, len(elements), _ROWS)
        ]
    )


def _tiles(matrix: U8, mlen: int, width: int) -> U8:
    """Panels x tiles x bytes of a tile: `matrix` in tiles of `mlen` rows by `width` columns."""
    rows, cols = matrix.shape
    tiles = matrix.reshape(rows // mlen, mlen, cols // width, width).transpose(0, 2, 1, 3)
    return tiles.reshape(rows // mlen, cols // width, mlen * width)


def _untiled(tiles: U8, mlen: int, width: int) -> U8:
    """The inverse of `_tiles`."""
    panels, count, _ = tiles.shape
    matrix = tiles.reshape(panels, count, mlen, width).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(matrix).reshape(panels * mlen, count * width)


def _placed_panels(memory: DecoderMemory) -> Iterator[tuple[Panel, int]]:
    """Every panel of the stream with its first tile."""
    tile = 0
    for panel in memory.panels:
        yield panel, tile
        tile += panel.tiles


def _tiles_of(memory: DecoderMemory, hbm: U8) -> U8:
    """The stream: tiles x bytes of a tile."""
    stored = hbm[memory.weights.base :][: memory.weights.count * memory.weights.tile_bytes]
    return stored.reshape(memory.weights.count, memory.weights.tile_bytes)


def _spread(matrix: Real, axis: int, size: int, mlen: int) -> Real:
    """Groups of `size` along an axis, each padded to whole tiles of `mlen` by zeros."""
    columns = round_up(size, mlen)
    if columns == size:
        return matrix
    shape = list(matrix.shape)
    groups = shape[axis] // size
    padded = np.zeros((*shape[:axis], groups, columns, *shape[axis + 1 :]), matrix.dtype)
    inside = (slice(None),) * (axis + 1)
    padded[(*inside, slice(0, size))] = matrix.reshape(*shape[:axis], groups, size, *shape[axis + 1 :])
    return padded.reshape(*shape[:axis], groups * columns, *shape[axis + 1 :])


def padded(memory: DecoderMemory, name: str, matrix: Real) -> Real:
    """A matrix of `LayerWeights` with its padding: whole tiles for each head, or for all features."""
    head = memory.config.head_dim
    outputs = head if name in ("q", "k", "v") else len(matrix)
    inputs = head if name == "o" else matrix.shape[1]
    mlen = memory.hw.mlen
    return _spread(_spread(matrix, 0, outputs, mlen), 1, inputs, mlen)


def write_panels(memory: DecoderMemory, layers: Sequence[LayerWeights], head: Real | None, hbm: U8) -> None:
    """Quantise the matrices of all layers, and the output head's, into the stream; the caches become zeros.

    Args:
        memory: where they go.
        layers: the weights.
        head: of the output head, where the stream has it.
        hbm: the memory.
    """
    hw, form, stored = memory.hw, memory.hw.hbm_format("m", 0), _tiles_of(memory, hbm)
    made: dict[tuple[int | None, str], U8] = {}
    for panel, tile in _placed_panels(memory):
        key = (panel.layer, panel.matrix)
        if key not in made:
            matrix = head if panel.layer is None else getattr(layers[panel.layer], panel.matrix)
            assert matrix is not None, "the stream has a head"
            elements, scales = _encoded(padded(memory, panel.matrix, matrix), form)
            wide = form.row_bytes(hw.mlen)
            tiles = _tiles(elements, hw.mlen, wide)
            if not form.bf16:
                tiles = np.concatenate((tiles, _tiles(scales, hw.mlen, form.scale_bytes(wide))), axis=2)
            made[key] = tiles
        number = panel.first // hw.mlen
        stored[tile : tile + panel.tiles] = made[key][number]
        if number + 1 == len(made[key]):
            del made[key]
    for layer in memory.layers:
        for cache in (*layer.keys, *layer.values):
            hbm[cache.base : cache.base + cache.footprint] = 0


def write_weights(memory: ModelMemory, weights: ModelWeights, hbm: U8) -> None:
    """Quantise all matrices into `hbm`, LIMIT bytes or more; the caches become zeros."""
    write_panels(memory, weights.layers, weights.head, hbm)
    table = memory.embedding.tensor
    elements, scales = _encoded(weights.embedding, table.form)
    for part, base in ((elements, table.base), (scales, table.base + table.scale_offset)):
        # All rows of the first block of columns, then those of the second, and so on.
        by_block = np.split(part, memory.embedding.blocks, axis=1)
        hbm[base : base + part.size] = np.concatenate(by_block).reshape(-1)


def read_weights(memory: ModelMemory, weights: ModelWeights, hbm: U8) -> ModelWeights:
    """The matrices as the machine reads them from `hbm`, and the norms of `weights` in bf16."""
    hw, form, stored = memory.hw, memory.hw.hbm_format("m", 0), _tiles_of(memory, hbm)
    found: dict[tuple[int | None, str], list[U8]] = {}
    for panel, tile in _placed_panels(memory):
        found.setdefault((panel.layer, panel.matrix), []).append(stored[tile : tile + panel.tiles])

    def matrix(layer: int | None, name: str) -> F32:
        panels = np.stack(found.pop((layer, name)))
        wide = form.row_bytes(hw.mlen)
        elements = _untiled(panels[:, :, : hw.mlen * wide], hw.mlen, wide)
        scales = _untiled(panels[:, :, hw.mlen * wide :], hw.mlen, form.scale_bytes(wide))
        return _decoded(elements, scales, form)

    def rounded(values: Real) -> F32:
        return bf16_to_f32(bf16_from_float(values))

    layers = []
    for index, layer in enumerate(weights.layers):
        names = [entry.name for entry in fields(LayerWeights)]
        layers.append(
            LayerWeights(
                **{
                    name: rounded(getattr(layer, name)) if name.endswith("norm") else matrix(index, name)
                    for name in names
                }
            )
        )
    head = matrix(None, "head")
    tied = weights.head is weights.embedding
    return replace(
        weights,
        embedding=head if tied else _decoded(*_encoded(weights.embedding, form), form),
        layers=tuple(layers),
        final_norm=rounded(weights.final_norm),
        head=head,
    )
