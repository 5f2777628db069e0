"""The form in which networks get point clouds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def unit_ball(clouds: NDArray[np.float32]) -> NDArray[np.float32]:
    """Clouds (N, points, 3), each centred and with its farthest point at distance one."""
    centred = clouds - clouds.mean(axis=1, keepdims=True)
    farthest = np.linalg.norm(centred, axis=2).max(axis=1)
    return np.asarray(centred / np.maximum(farthest, 1e-12)[:, None, None], np.float32)


def channels_first(clouds: Tensor) -> Tensor:
    """Stored (N, points, 3) to (N, 3, points), the order of PointNet's convolutions."""
    return clouds.transpose(1, 2).contiguous()
