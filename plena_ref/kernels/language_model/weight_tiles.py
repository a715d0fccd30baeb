"""The weights of decoder layers in HBM: MLEN x MLEN tiles, one after the other as a pass needs them.

A tile holds MLEN outputs by MLEN inputs of a matrix, a row for each output, so that blocks of the number
format lie along the inputs; M_TMM multiplies with it. Its elements are directly followed by its scales: a
tile is one run of bytes, and so are all of them, from the first layer's q to the last tile of the pass.

Heads, and features of the residual stream and of the MLP, are padded to whole tiles by zeros.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from plena_ref.configs.models import DecoderConfig
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware


@dataclass(frozen=True)
class Panel:
    """MLEN outputs of one matrix, all of its inputs.

    Attributes:
        layer: number of the layer; None for the output head.
        matrix: its name in `LayerWeights`, or `head`.
        first: the first output; those of padding count.
        tiles: tiles of MLEN inputs.
    """

    layer: int | None
    matrix: str
    first: int
    tiles: int


@dataclass(frozen=True)
class LayerColumns:
    """Columns of what the stages of a layer hand on, padding included.

    Attributes:
        head: from head to head.
        q, kv: of all query heads, and of all heads of K or of V.
        hidden, mlp: of the residual stream, and of gate or up.
    """

    head: int
    q: int
    kv: int
    hidden: int
    mlp: int

    @classmethod
    def of(cls, hw: Hardware, config: DecoderConfig) -> LayerColumns:
        """Those of a model on a machine."""
        head = round_up(config.head_dim, hw.mlen)
        wide = (round_up(size, hw.mlen) for size in (config.hidden, config.intermediate))
        return cls(head, config.heads * head, config.kv_heads * head, *wide)


def check_model(hw: Hardware, config: DecoderConfig) -> None:
    """Refuse a whole model whose matrices are no whole tiles.

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
    mlen, wide = hw.mlen, LayerColumns.of(hw, config)
    inputs = wide.hidden // mlen
    for matrix, outputs, tiles in (("q", wide.q, inputs), ("k", wide.kv, inputs), ("v", wide.kv, inputs)):
        yield from (Panel(layer, matrix, first, tiles) for first in range(0, outputs, mlen))
    yield from (Panel(layer, "o", first, wide.q // mlen) for first in range(0, wide.hidden, mlen))
    for first in range(0, wide.mlp, mlen):
        yield Panel(layer, "gate", first, inputs)
        yield Panel(layer, "up", first, inputs)
    for first in range(0, wide.hidden, mlen):
        yield Panel(layer, "down", first, wide.mlp // mlen)


def stack_panels(hw: Hardware, config: DecoderConfig, layers: int) -> Iterator[Panel]:
    """The panels of so many layers."""
    for layer in range(layers):
        yield from layer_panels(hw, config, layer)


def model_panels(hw: Hardware, config: DecoderConfig) -> Iterator[Panel]:
    """The panels of all layers of a model, then those of the output head."""
    yield from stack_panels(hw, config, config.layers)
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
    def place(cls, hw: Hardware, panels: Sequence[Panel], room: Room) -> WeightTiles:
        """Take their room in HBM.

        Raises:
            LayoutError: HBM is full.
        """
        count = sum(panel.tiles for panel in panels)
        whole: HbmTensor = room.hbm.tensor("the weights", count * hw.mlen, hw.mlen)
        elements = whole.form.row_bytes(hw.tile_elems)
        return cls(whole.base, count, hw.tile_elems, elements + whole.form.scale_bytes(elements))

    def address(self, tile: int) -> int:
        """HBM byte of a tile."""
        return self.base + tile * self.tile_bytes
