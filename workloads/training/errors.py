"""The error of a training that cannot start, go on or be resumed."""

from __future__ import annotations

from simulator.errors import UserError


class TrainingError(UserError):
    """A diverged training, a damaged checkpoint or settings that do not fit."""
