"""The weights of a model in HBM: MLEN x MLEN tiles, one after the other as a pass needs them.

A tile holds MLEN outputs by MLEN inputs of a matrix, a row for each output, so that blocks of the number
format lie along the inputs; M_TMM multiplies with it. Its elements are directly followed by its scales: a
tile is one run of bytes, and so are all of them, from the first layer's q to the output head.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from plena_ref.configs.models import DecoderConfig
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware


@dataclass(frozen=True)
class Panel:
    """MLEN outputs of one matrix, all of its inputs.

    Attributes:
        layer: number of the layer; None for the output head.
        matrix: its name in `LayerWeights`, or `head`.
        first: the first output.
        tiles: tiles of MLEN inputs.
    """

    layer: int | None
    matrix: str
    first: int
    tiles: int


def check_model(hw: Hardware, config: DecoderConfig) -> None:
    """Refuse a model whose matrices are no whole tiles.

    Raises:
        KernelError: names the rule.
    """
    sizes = {
        "head_dim": config.head_dim,
        "hidden": config.hidden,
        "intermediate": config.intermediate,
        "vocabulary": config.vocabulary,
    }
    for name, value in sizes.items():
        if value % hw.mlen:
            raise KernelError(f"{name} = {value} of the model must be a multiple of MLEN = {hw.mlen}")


def layer_panels(hw: Hardware, config: DecoderConfig, layer: int) -> Iterator[Panel]:
    """The panels of a layer in the order of a pass; gate and up take turns, as SwiGLU needs both."""
    mlen = hw.mlen
    inputs, q = config.hidden // mlen, config.heads * config.head_dim
    kv = config.kv_heads * config.head_dim
    for matrix, outputs, tiles in (("q", q, inputs), ("k", kv, inputs), ("v", kv, inputs)):
        yield from (Panel(layer, matrix, first, tiles) for first in range(0, outputs, mlen))
    yield from (Panel(layer, "o", first, q // mlen) for first in range(0, config.hidden, mlen))
    for first in range(0, config.intermediate, mlen):
        yield Panel(layer, "gate", first, inputs)
        yield Panel(layer, "up", first, inputs)
    for first in range(0, config.hidden, mlen):
        yield Panel(layer, "down", first, config.intermediate // mlen)


def model_panels(hw: Hardware, config: DecoderConfig) -> Iterator[Panel]:
    """The panels of all layers, then those of the output head."""
    for layer in range(config.layers):
        yield from layer_panels(hw, config, layer)
    for first in range(0, config.vocabulary, hw.mlen):
        yield Panel(None, "head", first, config.hidden // hw.mlen)


@dataclass(frozen=True)
class WeightTiles:
    """Where the tiles lie.

    Attributes:
        base: HBM byte of the first.
        count: how many.
        elems, tile_bytes: elements of a tile, and bytes from tile to tile.
    """

    base: int
    count: int
    elems: int
    tile_bytes: int

    @classmethod
    def place(cls, hw: Hardware, config: DecoderConfig, room: Room) -> WeightTiles:
        """Take their room in HBM.

        Raises:
            LayoutError: HBM is full.
        """
        count = sum(panel.tiles for panel in model_panels(hw, config))
        whole: HbmTensor = room.hbm.tensor("the weights", count * hw.mlen, hw.mlen)
        elems = hw.tile_elems
        return cls(whole.base, count, elems, elems + whole.form.scale_bytes(elems))

    def address(self, tile: int) -> int:
        """HBM byte of a tile."""
        return self.base + tile * self.tile_bytes
