"""Where the tensors of a stack of equal layers lie: those of layer n are those of layer 0, n strides further.

So one program text, run in a loop, does all layers: an INT_MEM word says how far the layer at hand lies from
the first (`Program.hbm_origin`). Places depend on sizes only, not on how many positions a pass has: all
passes of a model that take their room in the same order find their tensors where the others left them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from plena_ref.kernels.attention.cached import Caches
from plena_ref.kernels.decoder_shape import DecoderShape
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.linear import LinearShape, place_panels
from plena_ref.machine.hardware import Hardware


@dataclass(frozen=True)
class DecoderTensors:
    """What one decoder layer has in HBM.

    Attributes:
        qkv: panels of hidden x (heads of Q, of K, of V), every head padded to whole column blocks with zeros.
        output: panels of (heads of Q, padded likewise) x hidden.
        gate_up: panels of hidden x (gate, up), each padded to whole column blocks.
        down: panels of (gate's width) x hidden.
        caches: K and V.
    """

    qkv: list[HbmTensor]
    output: list[HbmTensor]
    gate_up: list[HbmTensor]
    down: list[HbmTensor]
    caches: Caches

    def moved(self, distance: int) -> DecoderTensors:
        """The same tensors so many bytes further."""

        def panels(tensors: list[HbmTensor]) -> list[HbmTensor]:
            return [replace(tensor, base=tensor.base + distance) for tensor in tensors]

        k, v = panels([self.caches.k, self.caches.v])
        weights = (panels(one) for one in (self.qkv, self.output, self.gate_up, self.down))
        return DecoderTensors(*weights, replace(self.caches, k=k, v=v))


@dataclass(frozen=True)
class LayerStack:
    """A stack of decoder layers.

    Attributes:
        first: tensors of layer 0.
        layers: how many there are.
        stride: bytes from layer to layer.
        norms: in VRAM, 2*layers x hidden: weights of a layer's attention norm, then of its MLP norm.
    """

    first: DecoderTensors
    layers: int
    stride: int
    norms: VramTensor

    def layer(self, index: int) -> DecoderTensors:
        """The tensors of one layer."""
        return self.first.moved(index * self.stride)

    @classmethod
    def place(cls, hw: Hardware, shape: DecoderShape, layers: int, positions: int, room: Room) -> LayerStack:
        """Room for a stack whose caches have `positions` positions; SEQ and PAST of the shape do not matter.

        Raises:
            KernelError: the shape breaks a rule.
            LayoutError: a memory is full.
        """
        shape.check(hw)
        norms = room.vram.tensor("weights of the norms", 2 * layers, shape.hidden)
        places = [_place_layer(hw, shape, positions, room) for _ in range(layers)]
        stride = places[1].qkv[0].base - places[0].qkv[0].base if layers > 1 else 0
        return cls(places[0], layers, stride, norms)


def _place_layer(hw: Hardware, shape: DecoderShape, positions: int, room: Room) -> DecoderTensors:
    def weights(layer: LinearShape) -> list[HbmTensor]:
        return place_panels(hw, layer, room)

    return DecoderTensors(
        weights(shape.qkv(hw)),
        weights(shape.output(hw)),
        weights(shape.gate_up(hw)),
        weights(shape.down(hw)),
        Caches.place(hw, shape.attention, positions, room),
    )
