"""Straight lines between table points on logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Mapping


def log_log(points: Mapping[float, float], x: float) -> float:
    """The value at x on straight lines, in log-log, between the neighbouring points.

    Exact at the points themselves. x must lie within them: callers state their own range.
    """
    if x in points:
        return points[x]
    low = max(known for known in points if known < x)
    high = min(known for known in points if known > x)
    share = math.log(x / low) / math.log(high / low)
    return points[low] * math.exp(share * math.log(points[high] / points[low]))
