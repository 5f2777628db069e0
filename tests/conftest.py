"""Settings of the whole test suite: one thread per worker, no display, steady properties."""

import os

from hypothesis import HealthCheck, settings

# Before NumPy and torch are imported: the workers already share the cores between them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# No deadline: a shared machine's pauses say nothing about the code.
settings.register_profile("local", deadline=None)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "local")
