"""Reads the one kind of pickle CIFAR archives hold, without ever unpickling.

A pickle is a program for a small stack machine. The CIFAR files were written by Python 2 as a
dictionary of lists, numbers, strings and one array of bytes, for which a handful of instructions
is enough. They are interpreted here over plain values; an array is recognised by the three names
NumPy writes for it, and nothing is ever imported or called. Any other instruction or name is an
error, so a hostile file can do nothing.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from workloads.data.errors import DataError

_RECONSTRUCT = "numpy.core.multiarray _reconstruct"
_ARRAY = "numpy ndarray"
_DTYPE = "numpy dtype"
_MARK = object()


@dataclass(frozen=True)
class _Name:
    """A name the file refers to; never looked up."""

    text: str


class _ByteType:
    """Stands for the data type of unsigned bytes."""


class _Array:
    """Stands for an array whose content follows."""


def read_plain_pickle(data: bytes, origin: str) -> dict[bytes, Any]:
    """The dictionary a CIFAR pickle describes.

    Strings come back as bytes and arrays as uint8.

    Raises:
        DataError: truncated, or it holds anything but plain values and byte arrays.
    """
    machine = _Machine()
    position = 0
    try:
        for opcode, argument, found_at in pickletools.genops(data):
            position = found_at or 0
            machine.step(opcode.name, argument)
        result = machine.result()
    except (ValueError, IndexError, KeyError, TypeError) as error:
        reason = str(error) or type(error).__name__
        raise DataError(
            f"{origin}: byte {position}: not a CIFAR python file: {reason}; "
            "unpack the archive again or use the binary version"
        ) from None
    if not isinstance(result, dict):
        raise DataError(f"{origin}: holds a {type(result).__name__}, a CIFAR file holds a dict")
    return result


class _Machine:
    """The stack and memo of a pickle program, over plain values."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def result(self) -> Any:
        (value,) = self._stack
        return value

    def step(self, name: str, argument: Any) -> None:
        """Carries out one instruction."""
        if name in ("PROTO", "STOP"):
            return
        if name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _NUMBERS:
            self._stack.append(argument)
        elif name in _STRINGS:
            self._stack.append(argument.encode("latin-1"))
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif name in _TUPLE_SIZES:
            self._stack.append(tuple(self._pop(_TUPLE_SIZES[name])))
        elif name == "TUPLE":
            self._stack.append(tuple(self._pop_to_mark()))
        else:
            self._change(name, argument)

    def _change(self, name: str, argument: Any) -> None:
        """Instructions that fill a container or describe an array."""
        if name in ("APPEND", "APPENDS"):
            items = self._pop(1) if name == "APPEND" else self._pop_to_mark()
            self._top(list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._pop(2) if name == "SETITEM" else self._pop_to_mark()
            self._top(dict).update(zip(items[::2], items[1::2], strict=True))
        elif name == "GLOBAL":
            if argument not in (_RECONSTRUCT, _ARRAY, _DTYPE):
                raise ValueError(f"refers to {argument!r}")
            self._stack.append(_Name(argument))
        elif name == "REDUCE":
            self._stack.append(_described(*self._pop(2)))
        elif name == "BUILD":
            self._stack.append(_filled(*self._pop(2)))
        else:
            raise ValueError(f"instruction {name} is not allowed")

    def _top(self, kind: type) -> Any:
        if not self._stack or not isinstance(self._stack[-1], kind):
            raise TypeError(f"an instruction expects a {kind.__name__}")
        return self._stack[-1]

    def _pop(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise IndexError("an instruction lacks its operands")
        items = self._stack[-count:]
        del self._stack[-count:]
        return items

    def _pop_to_mark(self) -> list[Any]:
        marks = [index for index, item in enumerate(self._stack) if item is _MARK]
        if not marks:
            raise IndexError("an instruction lacks its operands")
        place = marks[-1]
        items = self._stack[place + 1 :]
        del self._stack[place:]
        return items


def _described(name: Any, arguments: Any) -> object:
    """What calling one of NumPy's three names would begin; nothing is called."""
    if name == _Name(_DTYPE) and arguments[0] == b"u1":
        return _ByteType()
    if name == _Name(_RECONSTRUCT) and arguments[0] == _Name(_ARRAY):
        return _Array()
    raise ValueError("describes something that is no array of bytes")


def _filled(target: Any, state: Any) -> object:
    """An array with its content, or the byte type, whose state adds nothing."""
    if isinstance(target, _ByteType):
        return target
    if not isinstance(target, _Array):
        raise TypeError("gives a state to something that is no array")
    _, shape, element, column_major, content = state
    if not isinstance(element, _ByteType) or column_major:
        raise ValueError("holds an array that is not row-major bytes")
    return np.frombuffer(content, np.uint8).reshape(shape)


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "MARK": lambda: _MARK,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
}
_NUMBERS = ("BININT", "BININT1", "BININT2")
_STRINGS = ("SHORT_BINSTRING", "BINSTRING")
_TUPLE_SIZES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
