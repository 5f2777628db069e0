"""Random changes of training images and the view the network gets, on whole batches.

Images are uint8, (N, channels, height, width), so that a data set takes a quarter of the memory
and cropping moves bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class NormaliseImages:
    """uint8 images to float32 with the given mean and deviation per channel (of 0 to 1 values)."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def measured(cls, images: Tensor) -> NormaliseImages:
        """Mean and deviation of a training set, to four digits so that they print as they are."""
        total = squares = torch.zeros(images.shape[1], dtype=torch.float64)
        for part in images.split(4096):
            values = part.transpose(0, 1).flatten(1).to(torch.float64) / 255
            total, squares = total + values.sum(1), squares + values.square().sum(1)
        count = images.numel() // images.shape[1]
        mean = total / count
        deviation = (squares / count - mean.square()).sqrt()
        return cls(
            tuple(round(value, 4) for value in mean.tolist()),
            tuple(round(value, 4) for value in deviation.tolist()),
        )

    def __call__(self, images: Tensor) -> Tensor:
        """(x / 255 - mean) / deviation."""
        mean = torch.tensor(self.mean).view(1, -1, 1, 1)
        deviation = torch.tensor(self.deviation).view(1, -1, 1, 1)
        return (images.to(torch.float32) / 255 - mean) / deviation


@dataclass(frozen=True)
class CropAndFlip:
    """Shifts each image by up to `pad_px` with a black border, then mirrors it at `flip` odds.

    With 4 pixels and odds of one half this is the usual CIFAR augmentation (arXiv 1512.03385,
    section 4.2).
    """

    pad_px: int = 4
    flip: float = 0.5

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """A new batch of the same shape; every image has its own shift and coin."""
        count, _, height, width = images.shape
        shift = torch.randint(0, 2 * self.pad_px + 1, (2, count), generator=generator)
        mirrored = torch.rand(count, generator=generator) < self.flip
        padded = torch.nn.functional.pad(images, [self.pad_px] * 4)
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)
        cropped = windows[torch.arange(count), :, shift[0], shift[1]]
        return torch.where(mirrored.view(-1, 1, 1, 1), cropped.flip(-1), cropped)
