"""The design that a cocotb bench sees, as a type checker has to see it: everything below it is a signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cocotb.handle import HierarchyObject

if TYPE_CHECKING:
    from logging import Logger

    from cocotb.handle import LogicObject
    from cocotb.types import LogicArray

    class Signal:
        """A signal of any width, or a memory of them."""

        @property
        def value(self) -> LogicArray: ...

        @value.setter
        def value(self, value: LogicArray | int) -> None: ...

        def __getitem__(self, index: int) -> Signal: ...

    class Dut:
        """The top level; the signals that somebody waits for are single bits."""

        clk: LogicObject
        running: LogicObject
        done: LogicObject
        _log: Logger

        def __getattr__(self, name: str) -> Signal: ...

        def __getitem__(self, key: str) -> Signal: ...

else:
    Dut = HierarchyObject
