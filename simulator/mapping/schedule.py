"""The static schedule of one route: tiles in order, DMA commands in order, who waits for whom.

It is what a compiler for the accelerator would emit, and the only thing the event engine and
the recurrence execute. Tile i may start when its loads are complete; a load may be issued when
the tile that frees its space is done; a store when its tile is done. All waiting is for
earlier entries of the two lists, so no schedule can deadlock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import accumulate

from simulator.mapping.plan import GroupPlan
from simulator.mapping.tiles import TiledGroup, TransferKind

NONE = -1
"""In a schedule's columns: no such tile or command."""


class ReleaseCause(StrEnum):
    """What a command's release waits for."""

    START = "start"
    ROUTE = "route"
    SPACE = "space"
    DATA = "data"


@dataclass(frozen=True)
class FetchRule:
    """When data of the code behind a branch may be requested.

    Attributes:
        across_branches: as soon as there is room, the decision notwithstanding.
        decision_delay_ps: otherwise, this long after the router's last tile.
    """

    across_branches: bool
    decision_delay_ps: int


@dataclass(frozen=True)
class TileColumns:
    """Per tile: its work and what it waits for (indices into tiles and commands)."""

    group: tuple[int, ...]
    pe_ps: tuple[int, ...]
    vector_ps: tuple[int, ...]
    after_tile: tuple[int, ...]
    after_delay_ps: tuple[int, ...]
    load_command: tuple[int, ...]
    store_command: tuple[int, ...]


@dataclass(frozen=True)
class CommandColumns:
    """Per DMA command, in issue order: what it moves and what it waits for.

    `release_tile` is the tile that must be done first, `release_delay_ps` later; `after_command`
    a store whose data it reads or whose buffers it takes. The space of a load is held until
    `free_tile` is done, but for `staged` ones, whose space is theirs from the start: network
    inputs, and weights for the managed region.
    `bus_bytes` counts whole bursts.
    """

    kind: tuple[TransferKind, ...]
    n_bytes: tuple[int, ...]
    tile: tuple[int, ...]
    release_tile: tuple[int, ...]
    release_delay_ps: tuple[int, ...]
    release_cause: tuple[ReleaseCause, ...]
    after_command: tuple[int, ...]
    free_tile: tuple[int, ...]
    staged: tuple[bool, ...]
    bus_bytes: tuple[int, ...]
    occupancy_ps: tuple[int, ...]
    latency_ps: tuple[int, ...]


@dataclass(frozen=True)
class Schedule:
    """A route's tiles and DMA commands, with the groups they belong to.

    Attributes:
        groups: the groups of the path, in order.
        tiled: their tiles and event counts.
        tiles, commands: the columns.
        fixed_bytes: per tile, scratchpad bytes of activations, partial sums and output buffers.
        budget_bytes: scratchpad bytes the schedule was made for.
        channels, descriptor_ps: the DMA's.
        branch_tiles: tiles that end a router.
        branch_room_ps: per branch, the time it takes to fill the scratchpad bytes that are free
            while the decision is taken: what a known route could have used at most.
    """

    groups: tuple[GroupPlan, ...]
    tiled: tuple[TiledGroup, ...]
    tiles: TileColumns
    commands: CommandColumns
    fixed_bytes: tuple[int, ...]
    budget_bytes: int
    channels: int
    descriptor_ps: int
    branch_tiles: tuple[int, ...]
    branch_room_ps: tuple[int, ...]

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First tile of each group, and the number of tiles."""
        return tuple(accumulate((len(group.tiles) for group in self.tiled), initial=0))

    @cached_property
    def commands_of(self) -> tuple[tuple[int, ...], ...]:
        """The commands of each group, in issue order."""
        found: list[list[int]] = [[] for _ in self.groups]
        for j, tile in enumerate(self.commands.tile):
            found[self.tiles.group[tile]].append(j)
        return tuple(tuple(commands) for commands in found)
