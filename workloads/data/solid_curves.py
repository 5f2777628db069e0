"""The two curves whose spherical product is a solid's surface.

Barr's spherical product (Superquadrics and angle-preserving transformations, IEEE Computer
Graphics and Applications 1(1), 1981) of a profile (r, z) and a cross-section rho(theta) is the
surface (r rho cos theta, r rho sin theta, z). A straight profile gives cylinders and prisms, a
slanted one cones and pyramids, a circle about the axis ellipsoids and their kin, a circle beside
the axis tori, and a broken one compositions of these.

A profile takes two shape parameters of 0 to 1 per solid, arrays of B, and returns its corner
points (B, K, 2) as radius and height, about within the unit square.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Real: TypeAlias = NDArray[np.float32]
Profile: TypeAlias = Callable[[Real, Real], Real]

_ARC_POINTS = 25


def _corners(*corners: tuple[Real | float, Real | float]) -> Real:
    """(B, K, 2) from K corners whose coordinates are numbers or arrays of B."""
    columns = np.broadcast_arrays(*[np.asarray(value) for corner in corners for value in corner])
    return np.stack(columns, axis=-1).astype(np.float32).reshape(len(columns[0]), -1, 2)


def _arc(start: float, stop: float) -> tuple[Real, Real]:
    angle = np.linspace(start, stop, _ARC_POINTS, dtype=np.float32)
    return np.cos(angle)[None, :], np.sin(angle)[None, :]


def _column(p: Real, q: Real) -> Real:
    top = 1 - 0.25 * p
    return _corners((0 * q, -1), (1, -1), (top, 1), (0, 1))


def _cone(p: Real, q: Real) -> Real:
    return _corners((0, -1), (1, -1), (0.15 * p, 1), (0, 1))


def _bicone(p: Real, q: Real) -> Real:
    return _corners((0, -1), (1, 0.5 * p - 0.25), (0 * q, 1))


def _ball(p: Real, q: Real) -> Real:
    cosine, sine = _arc(-np.pi / 2, np.pi / 2)
    # An exponent below one fattens the ellipse towards a box, above one thins it.
    bulge = (0.75 + 0.4 * p)[:, None]
    radius, height = np.maximum(cosine, 0) ** bulge, np.sign(sine) * np.abs(sine) ** bulge
    return np.stack([radius, height], axis=-1).astype(np.float32)


def _ring(p: Real, q: Real) -> Real:
    cosine, sine = _arc(-np.pi, np.pi)
    thickness = (0.2 + 0.15 * p)[:, None]
    radius = 1 - thickness + thickness * cosine
    return np.stack([radius, thickness * (1 + q[:, None]) * sine], axis=-1).astype(np.float32)


def _hourglass(p: Real, q: Real) -> Real:
    waist = 0.2 + 0.25 * p
    return _corners((0, -1), (1, -1), (waist, 0.3 * q - 0.15), (1, 1), (0, 1))


def _goblet(p: Real, q: Real) -> Real:
    stem, rim = 0.12 + 0.1 * p, 0.2 * q
    return _corners((0, -1), (0.7, -1), (stem, -0.8), (stem, rim - 0.1), (1, rim + 0.2), (1, 1))


def _tower(p: Real, q: Real) -> Real:
    ledge, upper = 0.4 * q - 0.3, 0.35 + 0.25 * p
    return _corners((0, -1), (1, -1), (1, ledge), (upper, ledge), (upper, 1), (0, 1))


PROFILES: dict[str, Profile] = {
    "column": _column,
    "cone": _cone,
    "bicone": _bicone,
    "ball": _ball,
    "ring": _ring,
    "hourglass": _hourglass,
    "goblet": _goblet,
    "tower": _tower,
}


def _circle(theta: Real) -> Real:
    return np.ones_like(theta)


def _polygon(theta: Real, sides: int) -> Real:
    half = np.pi / sides
    apothem = np.cos(half)
    return np.asarray(apothem / np.cos(np.mod(theta, 2 * half) - half), np.float32)


def _star(theta: Real) -> Real:
    sector = np.abs(np.mod(theta * (5 / (2 * np.pi)), 1) - 0.5) * 2
    return np.asarray(0.5 + 0.5 * sector, np.float32)


SECTIONS: dict[str, Callable[[Real], Real]] = {
    "round": _circle,
    "triangular": lambda theta: _polygon(theta, 3),
    "square": lambda theta: _polygon(theta, 4),
    "hexagonal": lambda theta: _polygon(theta, 6),
    "star": _star,
}
