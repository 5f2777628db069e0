"""Errors a user can cause; each prints as one line and ends the command with exit code 2."""

from __future__ import annotations

from dataclasses import dataclass, field


class UserError(Exception):
    """Wrong input: the message names the file, the field, the value and what would be right."""

    exit_code = 2


class SpecError(UserError):
    """An accelerator spec that cannot be read, parsed or validated."""


class ProgramError(UserError):
    """A program file that cannot be read or breaks the schema of `simulator.ir`."""


class RouteError(UserError):
    """A route that does not fit the branches of its program, or a damaged routes file."""


class WorkloadError(UserError):
    """An unknown workload, or a model that cannot be traced."""


@dataclass(frozen=True)
class Contributor:
    """One tensor or buffer and the bytes it demands of a resource."""

    name: str
    n_bytes: int


@dataclass
class InfeasiblePlanError(UserError):
    """No mapping of a layer fits the accelerator; carries what is short and what would fit.

    Attributes:
        what: what cannot be mapped, e.g. ``layer 'conv1', with its smallest tiles,``.
        resource: the resource that is short, e.g. ``scratchpad``.
        demand_bytes: the least the layer needs of it with its smallest tiles.
        capacity_bytes: what the accelerator has.
        contributors: the largest parts of the demand, largest first.
    """

    what: str
    resource: str
    demand_bytes: int
    capacity_bytes: int
    contributors: tuple[Contributor, ...] = field(default=())

    def __str__(self) -> str:
        parts = ", ".join(f"{c.name} {c.n_bytes} B" for c in self.contributors)
        return (
            f"{self.what} does not fit: it needs {self.demand_bytes} B of {self.resource}, which "
            f"has {self.capacity_bytes} B ({parts}); "
            f"a {self.resource} of {-(-self.demand_bytes // 1024)} KiB would fit it"
        )
