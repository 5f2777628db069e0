"""Kernels as machine code, where Numba is installed; as they are, only slower, where it is not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import FunctionType
from typing import TypeVar, cast

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(kernel: Kernel) -> Kernel:
    """A kernel that takes NumPy arrays, compiled at its first call and kept on disk.

    So is what it calls of its own module. It may call nothing else, and take no number from
    elsewhere that might change (NONE may not): Numba keeps machine code as long as that one file
    stays the same. Importing this module does not import Numba.
    """
    functions = _module(kernel.__module__)
    return cast("Kernel", functions.get(kernel.__name__, kernel))


@cache
def _module(name: str) -> dict[str, Callable[..., object]]:
    """The functions of a module, compiled to call each other compiled; none without Numba."""
    try:
        njit = import_module("numba").njit
    except ImportError:
        return {}
    scope = dict(vars(sys.modules[name]))
    plain = {
        key: FunctionType(value.__code__, scope, key)
        for key, value in scope.items()
        if isinstance(value, FunctionType) and value.__module__ == name
    }
    try:
        jit = [njit(each, cache=True, error_model="numpy") for each in plain.values()]
    except RuntimeError:
        # There is no folder to keep machine code in: every process compiles for itself.
        jit = [njit(each, error_model="numpy") for each in plain.values()]
    functions: dict[str, Callable[..., object]] = dict(zip(plain, jit, strict=True))
    scope |= functions
    return functions
