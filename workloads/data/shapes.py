"""`shapes`: images of textured objects, made from a seed, hard enough not to saturate.

A class is an outline and a texture (`disc with stripes`), so there is a hierarchy: the outline is
the coarse class. Everything else is nuisance, drawn anew for each image: position, rotation and
size of the object, rotation and scale of its texture, both colours, a background with a colour
ramp and coloured clutter, an occluding bar, contrast and pixel noise. Colours carry no
information about the class. Images are uint8 RGB.

The same seed and size give the same bytes with the same NumPy build (trigonometric functions may
round differently elsewhere, which can move a pixel by one of 256 levels).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from workloads.data.augment_images import CropAndFlip, NormaliseImages
from workloads.data.dataset import Dataset, TensorSource
from workloads.data.seeds import Stream, numpy_stream
from workloads.data.shape_fields import OUTLINES, TEXTURES, Field, FieldFunction

_CHUNK_IMAGES = 512
# Raised with any change that moves a pixel, so that results on different sets can be told apart.
_VERSION = 1


@dataclass(frozen=True)
class Difficulty:
    """Ranges of the nuisances; object lengths are in half image widths.

    Attributes:
        shift: largest displacement of the object's centre along each axis.
        scale: smallest and largest object radius.
        contrast: least distance between any two of background and object colours, as RGB vectors
            of 0 to 1.
        clutter: number of background patches.
        occlusion: odds of an occluding bar.
        noise: largest standard deviation of the pixel noise.
    """

    shift: float = 0.2
    scale: tuple[float, float] = (0.55, 0.9)
    contrast: float = 0.35
    clutter: int = 3
    occlusion: float = 0.35
    noise: float = 0.1


@dataclass(frozen=True)
class ShapesSize:
    """How large the set is and which outlines and textures are crossed into classes."""

    image_px: int
    outlines: tuple[str, ...]
    textures: tuple[str, ...]
    train_per_class: int
    test_per_class: int
    difficulty: Difficulty = Difficulty()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Outline-major, so class // len(textures) is the outline."""
        return tuple(
            f"{outline} {texture}" for outline in self.outlines for texture in self.textures
        )

    @property
    def superclasses(self) -> tuple[int, ...]:
        """The outline of each class."""
        return tuple(index // len(self.textures) for index in range(len(self.class_names)))


_OUTLINES = tuple(OUTLINES)
_TEXTURES = tuple(TEXTURES)

SIZES: dict[str, ShapesSize] = {
    "full": ShapesSize(32, _OUTLINES, _TEXTURES, train_per_class=200, test_per_class=40),
    "small": ShapesSize(
        16,
        ("disc", "ring", "square", "triangle", "cross"),
        ("plain", "stripes", "checks", "split"),
        train_per_class=300,
        test_per_class=100,
        difficulty=Difficulty(scale=(0.6, 0.9), clutter=2),
    ),
    # For trying things out in seconds: few classes and almost no nuisances.
    "tiny": ShapesSize(
        16,
        ("disc", "cross"),
        ("plain", "stripes"),
        train_per_class=32,
        test_per_class=16,
        difficulty=Difficulty(0.1, (0.8, 0.9), contrast=0.6, clutter=0, occlusion=0, noise=0.05),
    ),
}


def load_shapes(size_name: str, seed: int) -> Dataset:
    """The set of that preset and seed, ready to train on; augmented as CIFAR is."""
    size = SIZES[size_name]
    train, test = (
        [torch.from_numpy(array) for array in make_shapes(size, seed, stream)]
        for stream in (Stream.TRAIN_SET, Stream.TEST_SET)
    )
    view = NormaliseImages.measured(train[0])
    return Dataset(
        name="shapes",
        train=TensorSource(train[0], train[1], view, CropAndFlip(pad_px=size.image_px // 8)),
        test=TensorSource(test[0], test[1], view),
        class_names=size.class_names,
        input_shape=(3, size.image_px, size.image_px),
        provenance=f"procedural shapes, size {size_name}, seed {seed}, version {_VERSION}",
        superclass_names=size.outlines,
        superclasses=size.superclasses,
    )


def make_shapes(
    size: ShapesSize, seed: int, stream: Stream
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (N, 3, height, width) and their classes, equally many of each, in random order."""
    rng = numpy_stream(seed, stream)
    per_class = size.train_per_class if stream is Stream.TRAIN_SET else size.test_per_class
    targets = rng.permutation(np.repeat(np.arange(len(size.class_names)), per_class))
    images = np.empty((len(targets), 3, size.image_px, size.image_px), np.uint8)
    for start in range(0, len(targets), _CHUNK_IMAGES):
        chunk = slice(start, start + _CHUNK_IMAGES)
        images[chunk] = _render(size, targets[chunk], rng)
    return images, targets


def _render(
    size: ShapesSize,
    targets: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """One chunk: background, object, occluder, noise, in this order."""
    count, px, difficulty = len(targets), size.image_px, size.difficulty
    axis = ((np.arange(px, dtype=np.float32) + np.float32(0.5)) * 2 / px - 1).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    colours = _contrasting_colours(rng, count, difficulty.contrast)
    image = _background(rng, x, y, colours[:, 0], difficulty)

    centre = _uniform(rng, (2, count), -difficulty.shift, difficulty.shift)
    scale = _uniform(rng, (count,), *difficulty.scale)
    u, v = _rotated(x - centre[0, :, None, None], y - centre[1, :, None, None], _angles(rng, count))
    u, v = u / scale[:, None, None], v / scale[:, None, None]
    outline, texture = np.divmod(targets, len(size.textures))
    distance = _by_class([OUTLINES[name] for name in size.outlines], outline, u, v)
    inside = _coverage(distance * scale[:, None, None], px)

    grain = _uniform(rng, (count,), 0.85, 1.2)[:, None, None]
    s, t = _rotated(u * grain, v * grain, _angles(rng, count))
    mix = _by_class([TEXTURES[name] for name in size.textures], texture, s, t)[:, None]
    paint = colours[:, 1, :, None, None] * (1 - mix) + colours[:, 2, :, None, None] * mix
    image += (paint - image) * inside[:, None]
    _occlude(rng, image, x, y, difficulty.occlusion)
    sigma = _uniform(rng, (count, 1, 1, 1), 0, difficulty.noise)
    image += sigma * rng.standard_normal(image.shape, np.float32)
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)


def _background(
    rng: np.random.Generator, x: Field, y: Field, base: Field, difficulty: Difficulty
) -> Field:
    """A colour with a random ramp and soft-edged patches, (N, 3, height, width)."""
    count, px = len(base), len(x)
    ramp = _uniform(rng, (2, count, 3, 1, 1), -0.15, 0.15)
    image = base[:, :, None, None] + ramp[0] * x + ramp[1] * y
    for _ in range(difficulty.clutter):
        centre = _uniform(rng, (2, count, 1, 1), -1.1, 1.1)
        radii = _uniform(rng, (2, count, 1, 1), 0.08, 0.35)
        u, v = _rotated(x - centre[0], y - centre[1], _angles(rng, count))
        # Half the patches are boxes, half are ellipses.
        box = np.maximum(np.abs(u) - radii[0], np.abs(v) - radii[1])
        oval = (np.hypot(u / radii[0], v / radii[1]) - 1) * np.minimum(radii[0], radii[1])
        distance = np.where(rng.random((count, 1, 1)) < 0.5, box, oval)
        colour = _uniform(rng, (count, 3, 1, 1), 0, 1)
        image += (colour - image) * _coverage(distance, px)[:, None]
    return image


def _occlude(rng: np.random.Generator, image: Field, x: Field, y: Field, odds: float) -> None:
    """Lays a bar of random colour over some of the images, in place."""
    count = len(image)
    u, _ = _rotated(x[None], y[None], _angles(rng, count))
    offset = _uniform(rng, (count, 1, 1), -0.6, 0.6)
    half_width = _uniform(rng, (count, 1, 1), 0.05, 0.16)
    covered = _coverage(np.abs(u - offset) - half_width, len(x))
    covered *= (rng.random((count, 1, 1)) < odds).astype(np.float32)
    colour = _uniform(rng, (count, 3, 1, 1), 0, 1)
    image += (colour - image) * covered[:, None]


def _contrasting_colours(rng: np.random.Generator, count: int, contrast: float) -> Field:
    """Background, first and second object colour, (N, 3, 3), redrawn until far enough apart."""
    colours = _uniform(rng, (count, 3, 3), 0, 1)
    while True:
        gap = np.linalg.norm(colours - np.roll(colours, 1, axis=1), axis=2).min(axis=1)
        close = np.flatnonzero(gap < contrast)
        if not len(close):
            return colours
        colours[close] = _uniform(rng, (len(close), 3, 3), 0, 1)


def _by_class(functions: list[FieldFunction], kind: NDArray[np.int64], u: Field, v: Field) -> Field:
    """Evaluates for each image the function of its kind."""
    out = np.empty_like(u)
    for index, function in enumerate(functions):
        members = np.flatnonzero(kind == index)
        out[members] = function(u[members], v[members])
    return out


def _coverage(distance: Field, px: int) -> Field:
    """Share of each pixel that lies inside, from the distance of its centre to the edge."""
    return np.clip(np.float32(0.5) - distance * np.float32(px / 2), 0, 1)


def _rotated(u: Field, v: Field, angle: Field) -> tuple[Field, Field]:
    cosine: Field = np.cos(angle)[:, None, None]
    sine: Field = np.sin(angle)[:, None, None]
    return cosine * u + sine * v, cosine * v - sine * u


def _angles(rng: np.random.Generator, count: int) -> Field:
    return _uniform(rng, (count,), 0, 2 * np.pi)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], low: float, high: float) -> Field:
    return rng.random(shape, np.float32) * np.float32(high - low) + np.float32(low)
