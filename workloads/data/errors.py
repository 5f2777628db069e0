"""The error of a data set that is missing, damaged or not what it should be."""

from __future__ import annotations

from simulator.errors import UserError


class DataError(UserError):
    """A data set that cannot be used; the message names the file and what was expected."""
