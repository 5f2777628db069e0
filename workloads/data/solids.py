"""`solids`: point clouds of parametric solids, made from a seed, hard enough not to saturate.

A class is a cross-section and a profile (`hexagonal goblet`; see `solid_curves`), with the profile
as the coarse class. Nuisances, drawn anew for each cloud: two shape parameters of the profile, a
different stretch along each axis, rotation about the up axis (z) and a slight tilt, a missing part
as in a view from one side, stray points and noise. Points are uniform in area along the profile
and in arc length around the cross-section, then centred and scaled to the unit ball as is usual
for ModelNet40.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from workloads.data.augment_points import DisturbPoints
from workloads.data.dataset import Dataset, TensorSource
from workloads.data.point_clouds import channels_first, unit_ball
from workloads.data.seeds import Stream, numpy_stream
from workloads.data.solid_curves import PROFILES, SECTIONS, Real

_CHUNK_CLOUDS = 256
_SECTION_GRID = 720
# Raised with any change that moves a point, so that results on different sets can be told apart.
_VERSION = 1


@dataclass(frozen=True)
class SolidsSize:
    """How large the set is, which curves are crossed into classes, and the nuisances' ranges.

    Attributes:
        points: points per cloud.
        profiles, sections: names of the curves.
        stretch: smallest and largest scale along each axis.
        tilt: standard deviation of the axis's tilt in radians.
        missing: largest share of the surface that is hidden.
        stray: share of the points that lie anywhere in the unit ball.
        noise: largest standard deviation of a point's error, in object radii.
    """

    points: int
    profiles: tuple[str, ...]
    sections: tuple[str, ...]
    train_per_class: int
    test_per_class: int
    stretch: tuple[float, float] = (0.65, 1.35)
    tilt: float = 0.1
    missing: float = 0.35
    stray: float = 0.03
    noise: float = 0.05

    @property
    def class_names(self) -> tuple[str, ...]:
        """Profile-major, so class // len(sections) is the profile."""
        return tuple(
            f"{section} {profile}" for profile in self.profiles for section in self.sections
        )

    @property
    def superclasses(self) -> tuple[int, ...]:
        """The profile of each class."""
        return tuple(index // len(self.sections) for index in range(len(self.class_names)))


SIZES: dict[str, SolidsSize] = {
    "full": SolidsSize(1024, tuple(PROFILES), tuple(SECTIONS), 200, 50),
    "small": SolidsSize(
        256,
        ("column", "cone", "ball", "ring", "goblet"),
        ("round", "triangular", "square", "hexagonal", "star"),
        train_per_class=160,
        test_per_class=50,
    ),
    # For trying things out in seconds: few classes, little hidden or disturbed.
    "tiny": SolidsSize(
        64,
        ("column", "ring"),
        ("round", "triangular"),
        train_per_class=32,
        test_per_class=16,
        missing=0.1,
        stray=0.0,
        noise=0.02,
    ),
}


def load_solids(size_name: str, seed: int) -> Dataset:
    """The set of that preset and seed, ready to train on.

    Augmented as ModelNet40 is, but turned about the up axis, as the clouds themselves are, and
    with fewer points dropped, because a part of each cloud is missing already.
    """
    size = SIZES[size_name]
    train, test = (
        [torch.from_numpy(array) for array in make_solids(size, seed, stream)]
        for stream in (Stream.TRAIN_SET, Stream.TEST_SET)
    )
    disturb = DisturbPoints(dropout=0.3, turn_axis=2)
    return Dataset(
        name="solids",
        train=TensorSource(train[0], train[1], channels_first, disturb),
        test=TensorSource(test[0], test[1], channels_first),
        class_names=size.class_names,
        input_shape=(3, size.points),
        provenance=f"procedural solids, size {size_name}, seed {seed}, version {_VERSION}",
        superclass_names=size.profiles,
        superclasses=size.superclasses,
    )


def make_solids(
    size: SolidsSize, seed: int, stream: Stream
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Clouds (N, points, 3) and their classes, equally many of each, in random order."""
    rng = numpy_stream(seed, stream)
    per_class = size.train_per_class if stream is Stream.TRAIN_SET else size.test_per_class
    targets = rng.permutation(np.repeat(np.arange(len(size.class_names)), per_class))
    clouds = np.empty((len(targets), size.points, 3), np.float32)
    for start in range(0, len(targets), _CHUNK_CLOUDS):
        chunk = slice(start, start + _CHUNK_CLOUDS)
        clouds[chunk] = _cloud_chunk(size, targets[chunk], rng)
    return clouds, targets


def _cloud_chunk(size: SolidsSize, targets: NDArray[np.int64], rng: np.random.Generator) -> Real:
    """Surface points, stretched, partly hidden, turned and disturbed."""
    count = len(targets)
    profile, section = np.divmod(targets, len(size.sections))
    sampled = int(np.ceil(size.points / (1 - size.missing))) + 1
    shape = rng.random((2, count), np.float32)
    draws = rng.random((3, count, sampled), np.float32)
    xyz = np.empty((count, sampled, 3), np.float32)
    for index, name in enumerate(size.profiles):
        members = np.flatnonzero(profile == index)
        corners = PROFILES[name](shape[0, members], shape[1, members])
        radius, xyz[members, :, 2] = _along_profile(corners, *draws[:2, members])
        xyz[members, :, 0] = xyz[members, :, 1] = radius
    for index, name in enumerate(size.sections):
        members = np.flatnonzero(section == index)
        x, y = _around_section(name, draws[2, members])
        xyz[members, :, 0] *= x
        xyz[members, :, 1] *= y
    low, high = size.stretch
    xyz *= low + (high - low) * rng.random((count, 1, 3), np.float32)
    xyz = _seen_part(xyz, size, rng) @ _rotations(count, size.tilt, rng)
    return unit_ball(_disturbed(unit_ball(xyz), size, rng))


def _along_profile(corners: Real, pick: Real, place: Real) -> tuple[Real, Real]:
    """Radius and height of points uniform in area on the frusta between neighbouring corners."""
    first, second = corners[:, :-1], corners[:, 1:]
    area = np.linalg.norm(second - first, axis=2) * (first[..., 0] + second[..., 0])
    edges = np.cumsum(area, axis=1)
    edges /= edges[:, -1:]
    # One search for all rows: row b's edges and draws are moved to the interval b to b + 1.
    row = np.arange(len(corners))[:, None]
    ends = (edges + row.astype(np.float64)).ravel()
    flat = np.searchsorted(ends, (pick + row).ravel(), side="right")
    segment = np.minimum(flat.reshape(pick.shape) - row * area.shape[1], area.shape[1] - 1)
    r0, z0 = first[row, segment, 0], first[row, segment, 1]
    r1, z1 = second[row, segment, 0], second[row, segment, 1]
    # The circumference grows with r, so r squared is uniform between the ends.
    radius = np.sqrt(r0**2 + place * (r1**2 - r0**2))
    slant = np.abs(r1 - r0) > 1e-4
    share = np.where(slant, (radius - r0) / np.where(slant, r1 - r0, 1), place)
    return radius, z0 + share * (z1 - z0)


def _around_section(name: str, place: Real) -> tuple[Real, Real]:
    """x and y of points uniform in arc length on the cross-section."""
    theta = np.linspace(0, 2 * np.pi, _SECTION_GRID + 1, dtype=np.float32)
    rho = SECTIONS[name](theta)
    x, y = rho * np.cos(theta), rho * np.sin(theta)
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    position = place * length[-1]
    return (
        np.interp(position, length, x).astype(np.float32),
        np.interp(position, length, y).astype(np.float32),
    )


def _seen_part(xyz: Real, size: SolidsSize, rng: np.random.Generator) -> Real:
    """Hides a random share on a random side; keeps `points` of the rest at random."""
    count, sampled, _ = xyz.shape
    side = rng.standard_normal((count, 3, 1), np.float32)
    depth = (xyz @ side)[..., 0]
    hidden = (size.missing * rng.random(count) * sampled).astype(np.int64)
    rank = np.argsort(np.argsort(depth, axis=1), axis=1)
    key = rng.random((count, sampled), np.float32) + (rank >= (sampled - hidden)[:, None])
    kept = np.argsort(key, axis=1)[:, : size.points]
    return np.take_along_axis(xyz, kept[..., None], axis=1)


def _rotations(count: int, tilt: float, rng: np.random.Generator) -> Real:
    """Turn about z by any angle, then a slight tilt about x and y, (count, 3, 3)."""
    turn = 2 * np.pi * rng.random(count)
    lean = tilt * rng.standard_normal((2, count))
    return (_about(turn, 0, 1) @ _about(lean[0], 1, 2) @ _about(lean[1], 0, 2)).astype(np.float32)


def _about(angle: NDArray[np.float64], i: int, j: int) -> NDArray[np.float64]:
    """Rotations in the plane of axes i and j."""
    matrix = np.tile(np.eye(3), (len(angle), 1, 1))
    matrix[:, i, i] = matrix[:, j, j] = np.cos(angle)
    matrix[:, i, j] = np.sin(angle)
    matrix[:, j, i] = -np.sin(angle)
    return matrix


def _disturbed(xyz: Real, size: SolidsSize, rng: np.random.Generator) -> Real:
    """Adds noise, and scatters a share of the points over the unit ball."""
    count = len(xyz)
    sigma = size.noise * rng.random((count, 1, 1), np.float32)
    noisy = xyz + sigma * rng.standard_normal(xyz.shape, np.float32)
    astray = np.nonzero(rng.random(xyz.shape[:2]) < size.stray)
    direction = rng.standard_normal((len(astray[0]), 3), np.float32)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    noisy[astray] = direction * np.cbrt(rng.random((len(astray[0]), 1), np.float32))
    return noisy
