"""Cutting and resizing photographs as the ImageNet recipes do, with Pillow.

The boxes follow torchvision's RandomResizedCrop and Resize + CenterCrop, so that weights trained
elsewhere see the images they were trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box: TypeAlias = tuple[int, int, int, int]

_AREA = (0.08, 1.0)
_ASPECT = (3 / 4, 4 / 3)
TRIES = 10
"""Boxes tried before falling back to the largest central one; each takes four draws."""


def random_box(width: int, height: int, draws: Sequence[Sequence[float]]) -> Box:
    """(left, top, right, bottom) of a crop of random area and aspect ratio.

    Args:
        width: of the image, in pixels.
        height: of the image, in pixels.
        draws: per try four numbers of 0 to 1: area, aspect, left, top.
    """
    for area_draw, aspect_draw, left_draw, top_draw in draws:
        area = width * height * (_AREA[0] + (_AREA[1] - _AREA[0]) * area_draw)
        low, high = math.log(_ASPECT[0]), math.log(_ASPECT[1])
        aspect = math.exp(low + (high - low) * aspect_draw)
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left = min(int(left_draw * (width - w + 1)), width - w)
            top = min(int(top_draw * (height - h + 1)), height - h)
            return left, top, left + w, top + h
    w = min(width, round(height * _ASPECT[1]))
    h = min(height, round(width / _ASPECT[0]))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def cut_and_resize(image: Image.Image, box: Box, px: int) -> NDArray[np.uint8]:
    """The box resized bilinearly to a square, (3, px, px)."""
    cut = image.crop(box).resize((px, px), Image.Resampling.BILINEAR)
    return np.asarray(cut, np.uint8).transpose(2, 0, 1)


def centre_crop(image: Image.Image, shorter_px: int, px: int) -> NDArray[np.uint8]:
    """The middle square after the shorter side is resized to `shorter_px`, (3, px, px)."""
    width, height = image.size
    if width <= height:
        size = (shorter_px, int(shorter_px * height / width))
    else:
        size = (int(shorter_px * width / height), shorter_px)
    resized = image.resize(size, Image.Resampling.BILINEAR)
    left, top = round((size[0] - px) / 2), round((size[1] - px) / 2)
    middle = resized.crop((left, top, left + px, top + px))
    return np.asarray(middle, np.uint8).transpose(2, 0, 1)
