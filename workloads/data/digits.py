"""`digits`: scikit-learn's 1,797 handwritten digits, which come with it and need no download.

The 8 x 8 images of 17 grey levels are doubled in size and given three equal channels, so that
every image network takes them without a special case. They saturate (98 % and more): a set to try
the pipeline on, not to compare methods with.
"""

from __future__ import annotations

import numpy as np
import torch

from workloads.data.augment_images import CropAndFlip, NormaliseImages
from workloads.data.dataset import Dataset, TensorSource
from workloads.data.errors import DataError
from workloads.data.seeds import Stream, numpy_stream

_TEST_SHARE = 0.2
_GREY_LEVELS = 16


def load_digits(seed: int) -> Dataset:
    """The digits, a fifth of each class set aside for testing by the seed.

    Raises:
        DataError: scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError:
        raise DataError(
            "digits needs scikit-learn, which is not installed: "
            "install the 'data' extra, or use 'shapes', which needs nothing"
        ) from None
    pixels, labels = datasets.load_digits(return_X_y=True)
    grey = np.round(pixels.reshape(-1, 1, 8, 8) * (255 / _GREY_LEVELS)).astype(np.uint8)
    images = torch.from_numpy(grey.repeat(2, axis=2).repeat(2, axis=3).repeat(3, axis=1))
    targets = torch.from_numpy(labels.astype(np.int64))
    held_out = torch.from_numpy(_held_out(labels, seed))
    view = NormaliseImages.measured(images[~held_out])
    shift = CropAndFlip(pad_px=2, flip=0)
    return Dataset(
        name="digits",
        train=TensorSource(images[~held_out], targets[~held_out], view, shift),
        test=TensorSource(images[held_out], targets[held_out], view),
        class_names=tuple(str(digit) for digit in range(10)),
        input_shape=(3, 16, 16),
        provenance=f"scikit-learn digits, {len(targets)} images, split seed {seed}",
    )


def _held_out(labels: np.ndarray, seed: int) -> np.ndarray:
    """Mask of the test examples, the same share of every class."""
    rng = numpy_stream(seed, Stream.SPLIT)
    mask = np.zeros(len(labels), bool)
    for digit in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == digit))
        mask[members[: round(_TEST_SHARE * len(members))]] = True
    return mask
