"""Checkpoints that are always whole, and the same bytes for the same state.

A file appears under its name only when it is complete (written beside it, then renamed), holds
nothing but tensors and plain values, and is read with `weights_only`, so it cannot run code.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from workloads.training.errors import TrainingError


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces the file in one step: a reader, or a crash, sees the old one or the new one.

    Raises:
        TrainingError: the folder is missing or cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise TrainingError(f"{path}: cannot be written: {error.strerror}") from None


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Writes nested mappings and lists of tensors, numbers, strings and None.

    Raises:
        TrainingError: it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(_canonical(state, {}), buffer)
    write_atomically(path, buffer.getvalue())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` wrote, on the CPU.

    Raises:
        TrainingError: missing, damaged, or holding something else than plain state.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read: {error.strerror}") from None
    except (RuntimeError, EOFError, pickle.UnpicklingError, struct.error, LookupError, ValueError):
        raise TrainingError(
            f"{path}: is damaged or not a checkpoint of tensors and plain values"
        ) from None
    if not isinstance(state, dict):
        raise TrainingError(f"{path}: holds a {type(state).__name__}, a checkpoint is a mapping")
    return state


def _canonical(value: Any, seen: dict[tuple[Any, ...], Tensor]) -> Any:
    """A fresh copy in which equal states are equal object by object.

    The file's bytes depend on which objects are the same one (a string read from a file is not
    the one in the source code, two views may share memory), so strings are interned, containers
    rebuilt and tensors copied, those of the same memory once.
    """
    if isinstance(value, Tensor):
        key = (value.device, value.data_ptr(), value.dtype, value.shape, value.stride())
        if value.numel() == 0 or key not in seen:
            seen[key] = value.detach().to("cpu", copy=True).contiguous()
        return seen[key]
    if isinstance(value, str):
        return sys.intern(str(value))
    if isinstance(value, Mapping):
        return {_canonical(k, seen): _canonical(v, seen) for k, v in value.items()}
    if isinstance(value, list | tuple):
        # A generator, because tuple(tuple) is the same object.
        return type(value)(_canonical(item, seen) for item in value)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")
