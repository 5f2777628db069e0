"""Outlines and surface textures as functions of object coordinates.

An outline is a signed distance (or a close bound of it): negative inside, zero on the edge, the
object about as large as the unit disc. A texture is a value from 0 (first colour) to 1 (second).
Both take arrays u, v of any one shape and are rotated and scaled by their caller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.float32]
FieldFunction: TypeAlias = Callable[[Field, Field], Field]

_TAU = np.float32(2 * np.pi)


def _disc(u: Field, v: Field) -> Field:
    return np.hypot(u, v) - np.float32(0.85)


def _ring(u: Field, v: Field) -> Field:
    return np.abs(np.hypot(u, v) - np.float32(0.66)) - np.float32(0.27)


def _crescent(u: Field, v: Field) -> Field:
    bite = np.hypot(u - np.float32(0.5), v) - np.float32(0.62)
    return np.maximum(np.hypot(u, v) - np.float32(0.95), -bite)


def _half_disc(u: Field, v: Field) -> Field:
    return np.maximum(np.hypot(u, v + np.float32(0.4)) - 1, -(v + np.float32(0.4)))


def _square(u: Field, v: Field) -> Field:
    return np.maximum(np.abs(u), np.abs(v)) - np.float32(0.76)


def _bar(u: Field, v: Field) -> Field:
    return np.maximum(np.abs(u) - 1, np.abs(v) - np.float32(0.48))


def _triangle(u: Field, v: Field) -> Field:
    slant = np.float32(0.866) * np.abs(u) + np.float32(0.5) * v
    return np.maximum(slant, -v) - np.float32(0.5)


def _star(u: Field, v: Field) -> Field:
    sector = _TAU / 5
    angle = np.abs(np.mod(np.arctan2(u, v), sector) - sector / 2)
    radius = np.hypot(u, v)
    # Distance to the edge line from an outer tip (radius 1) to an inner corner (radius 0.45).
    tip_u, tip_v = np.sin(sector / 2), np.cos(sector / 2)
    along_u, along_v = -tip_u, np.float32(0.45) - tip_v
    length = np.hypot(along_u, along_v)
    across = along_u * (radius * np.cos(angle) - tip_v) - along_v * (radius * np.sin(angle) - tip_u)
    return -across / length


def _cross(u: Field, v: Field) -> Field:
    a, b = np.abs(u), np.abs(v)
    arm = np.float32(0.32)
    return np.minimum(np.maximum(a - 1, b - arm), np.maximum(b - 1, a - arm))


def _trefoil(u: Field, v: Field) -> Field:
    lobe = np.float32(0.68) + np.float32(0.3) * np.cos(3 * np.arctan2(v, u))
    return np.hypot(u, v) - lobe


OUTLINES: dict[str, FieldFunction] = {
    "disc": _disc,
    "ring": _ring,
    "crescent": _crescent,
    "half_disc": _half_disc,
    "square": _square,
    "bar": _bar,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "trefoil": _trefoil,
}


def _wave(phase: Field) -> Field:
    """A square wave with softened edges: 0 and 1 in equal parts, period one."""
    return np.clip(np.sin(_TAU * phase) * np.float32(1.5) + np.float32(0.5), 0, 1)


def _plain(u: Field, v: Field) -> Field:
    return np.zeros_like(u)


def _stripes(u: Field, v: Field) -> Field:
    return _wave(u * np.float32(1.8))


def _checks(u: Field, v: Field) -> Field:
    a, b = _wave(u * np.float32(1.25)), _wave(v * np.float32(1.25))
    return a + b - 2 * a * b


def _dots(u: Field, v: Field) -> Field:
    lattice = np.cos(_TAU * np.float32(1.35) * u) + np.cos(_TAU * np.float32(1.35) * v)
    return np.clip(lattice * np.float32(1.2) - np.float32(0.35), 0, 1)


def _rings(u: Field, v: Field) -> Field:
    return _wave(np.hypot(u, v) * np.float32(2.1))


def _spokes(u: Field, v: Field) -> Field:
    return _wave(np.arctan2(v, u) * (5 / _TAU))


def _shaded(u: Field, v: Field) -> Field:
    return np.clip(np.float32(0.5) + np.float32(0.65) * v, 0, 1)


def _split(u: Field, v: Field) -> Field:
    return np.clip(np.float32(0.5) + 6 * u, 0, 1)


def _rimmed(u: Field, v: Field) -> Field:
    return np.clip(6 * (np.hypot(u, v) - np.float32(0.5)) + np.float32(0.5), 0, 1)


def _zigzag(u: Field, v: Field) -> Field:
    tooth = np.abs(np.mod(v * np.float32(1.3), 1) - np.float32(0.5))
    return _wave(u * np.float32(1.5) + np.float32(0.9) * tooth)


TEXTURES: dict[str, FieldFunction] = {
    "plain": _plain,
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "rings": _rings,
    "spokes": _spokes,
    "shaded": _shaded,
    "split": _split,
    "rimmed": _rimmed,
    "zigzag": _zigzag,
}
