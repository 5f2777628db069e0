"""Random streams: every draw has an address, so that a run can be cut anywhere and go on exactly.

A stream is named by integers (seed, purpose, epoch, step, ...) and does not depend on what was
drawn before it. Batch 7 of epoch 3 sees the same crops whether or not the process was killed.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch


class Stream(IntEnum):
    """What a random stream is for; streams of different purposes never coincide."""

    TRAIN_SET = 0
    TEST_SET = 1
    ORDER = 2
    AUGMENTATION = 3
    MODEL = 4
    SPLIT = 5


def derive_seed(seed: int, stream: Stream, *address: int) -> int:
    """A 63-bit seed for one stream, well mixed even for neighbouring addresses.

    Raises:
        ValueError: a negative seed or address.
    """
    state = np.random.SeedSequence([seed, int(stream), *address]).generate_state(2, np.uint32)
    return int(state[0]) << 31 ^ int(state[1])


def numpy_stream(seed: int, stream: Stream, *address: int) -> np.random.Generator:
    """NumPy generator of one stream."""
    return np.random.default_rng([seed, int(stream), *address])


def torch_stream(seed: int, stream: Stream, *address: int) -> torch.Generator:
    """PyTorch generator of one stream, on the CPU."""
    return torch.Generator().manual_seed(derive_seed(seed, stream, *address))
