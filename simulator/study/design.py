"""The points of a study, numbered: the product of its grid axes times its random samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulator.errors import UserError
from simulator.study.axis import Choices, GridAxis, RandomAxis, Value


@dataclass(frozen=True)
class Design:
    """Points by number; nothing is kept per point but eight bytes per sample and random axis.

    Attributes:
        grid: crossed with each other, the last one varying fastest.
        random: drawn together, every sample crossed with the whole grid.
        samples: how many; each axis is cut into as many equally likely parts, and every part is
            drawn from once (Latin hypercube: McKay, Beckman, Conover, Technometrics 21, 1979).
        seed: of the draws.
    """

    grid: tuple[GridAxis, ...]
    random: tuple[RandomAxis, ...] = ()
    samples: int = 1
    seed: int = 0

    @property
    def axes(self) -> tuple[GridAxis | RandomAxis, ...]:
        """All axes, those of the grid first."""
        return (*self.grid, *self.random)

    @property
    def fields(self) -> tuple[str, ...]:
        """The axes' fields, in the order of a point's choices."""
        return tuple(axis.field for axis in self.axes)

    @property
    def n_points(self) -> int:
        """Number of points."""
        return math.prod(len(axis.values) for axis in self.grid) * self.samples

    def choices_at(self, index: int) -> Choices:
        """The point of that number."""
        rest, sample = divmod(index, self.samples)
        chosen: Choices = {}
        for axis in reversed(self.grid):
            rest, at = divmod(rest, len(axis.values))
            chosen[axis.field] = axis.values[at]
        found = {axis.field: chosen[axis.field] for axis in self.grid}
        for column, drawn in enumerate(self.random):
            found[drawn.field] = drawn.value_at(float(self._fractions[sample, column]))
        return found

    def drawn(self, axis: RandomAxis, samples: NDArray[np.int64]) -> list[Value]:
        """An axis's values at samples."""
        shares = self._fractions[samples, self.random.index(axis)]
        return [axis.value_at(share) for share in shares.tolist()]

    @cached_property
    def _fractions(self) -> NDArray[np.float64]:
        """Shape (samples, random axes), each column one draw from each of `samples` parts."""
        rng = np.random.default_rng(self.seed)
        parts = np.stack([rng.permutation(self.samples) for _ in self.random], axis=1)
        fractions: NDArray[np.float64] = (parts + rng.random(parts.shape)) / self.samples
        return fractions


def make_design(axes: Sequence[GridAxis | RandomAxis], samples: int | None, seed: int) -> Design:
    """A design of the given axes.

    Raises:
        UserError: a field with two axes, or samples without an axis to draw, or the reverse.
    """
    grid = tuple(axis for axis in axes if isinstance(axis, GridAxis))
    random = tuple(axis for axis in axes if isinstance(axis, RandomAxis))
    fields = [axis.field for axis in axes]
    for field in fields:
        if fields.count(field) > 1:
            raise UserError(f"--vary {field}: is varied twice")
    if random and samples is None:
        raise UserError(f"--vary {random[0].field}: a random axis needs --samples N")
    if samples is not None and not random:
        raise UserError(f"--samples {samples}: no axis is drawn; write e.g. 128:16384:loglhs")
    if samples is not None and not 1 <= samples <= 10**8:
        raise UserError(f"--samples {samples}: must be from 1 to {10**8}")
    return Design(grid, random, samples or 1, seed)
