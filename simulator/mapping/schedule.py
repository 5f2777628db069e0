"""The static schedule of one route: tiles in order, DMA commands in order, who waits for whom.

It is what a compiler for the accelerator would emit, and the only thing the event engine and
the recurrence execute. Tile i may start when its loads are complete; a load may be issued when
the tile that frees its space is done; a store when its tile is done. All waiting is for
earlier entries of the two lists, so no schedule can deadlock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import accumulate

from simulator.mapping.case import Wants
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
        wants: per branch met, the arms whose weights are speculated on until then.
        knows_route: they are the arms taken: perfect speculation.
        spared: but not at these branches, counted as they are met.
        ties_first: weights that all arms of a branch name are fetched without waiting for it.
    """

    across_branches: bool
    decision_delay_ps: int
    wants: tuple[Wants, ...] = ()
    knows_route: bool = False
    spared: tuple[int, ...] = ()
    ties_first: bool = False


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
    `bus_bytes` counts whole `bursts`, `activates` the rows opened for the command.
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
    bursts: tuple[int, ...] = ()
    activates: tuple[int, ...] = ()


@dataclass(frozen=True)
class Speculation:
    """Weight loads that use an idle DRAM bus until a branch is decided; one entry per load.

    They wait in a queue of their own, in order, and are served in granules of `granule_bytes`
    while no command of the ordinary queue is ready. At the decision (`decision_delay_ps` after
    the tile `decision`) granules not yet started are called off; what an arm that is taken still
    lacks is fetched by its ordinary `command`.

    Attributes:
        decision: the tile that ends the branch's router.
        command: the ordinary command of the load if the route takes its arm, else NONE.
        arm, layer: whose weights.
        n_bytes, bus_bytes, bursts, activates, occupancy_ps, latency_ps: of the whole load.
        release_tile, release_delay_ps, after_command: as for ordinary commands.
        fence: an earlier decision whose lost granules must have landed.
        staged: its space is its own from the start, see `CommandColumns`.
        command_fence, tile_fence: per ordinary command and per tile, the decision whose lost
            granules must have landed first, for it may take their place.
    """

    granule_bytes: int
    decision_delay_ps: int
    decision: tuple[int, ...]
    command: tuple[int, ...]
    arm: tuple[int, ...]
    layer: tuple[str, ...]
    n_bytes: tuple[int, ...]
    bus_bytes: tuple[int, ...]
    occupancy_ps: tuple[int, ...]
    latency_ps: tuple[int, ...]
    release_tile: tuple[int, ...]
    release_delay_ps: tuple[int, ...]
    after_command: tuple[int, ...]
    fence: tuple[int, ...]
    staged: tuple[bool, ...]
    command_fence: tuple[int, ...]
    tile_fence: tuple[int, ...]
    bursts: tuple[int, ...]
    activates: tuple[int, ...]

    @cached_property
    def entries_of(self) -> dict[int, range]:
        """By decision, the entries of its branch, in order; they stand together."""
        found: dict[int, range] = {}
        for q, tile in enumerate(self.decision):
            found[tile] = range(found[tile].start if tile in found else q, q + 1)
        return found

    @cached_property
    def entry_of(self) -> dict[int, int]:
        """By ordinary command, the entry that may have fetched part of it."""
        return {j: q for q, j in enumerate(self.command) if j != NONE}

    def granule(self, entry: int, done_bytes: int) -> tuple[int, int]:
        """Bytes of the granule after `done_bytes`, and its share of the load's occupancy.

        The load's occupancy is dealt out in proportion to its bytes, so that the parts sum to it.
        """
        n_bytes, whole_ps = self.n_bytes[entry], self.occupancy_ps[entry]
        end = min(done_bytes + self.granule_bytes, n_bytes)
        return end - done_bytes, whole_ps * end // n_bytes - whole_ps * done_bytes // n_bytes

    def rest_ps(self, entry: int, done_bytes: int) -> int:
        """Occupancy of what follows the first `done_bytes` of a load."""
        whole_ps = self.occupancy_ps[entry]
        return whole_ps - whole_ps * done_bytes // self.n_bytes[entry]


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
        branch_free_bytes: those bytes, of which speculation takes its share.
        speculation: loads for arms that may be taken; None if there are none.
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
    branch_free_bytes: tuple[int, ...] = ()
    speculation: Speculation | None = None

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First tile of each group, and the number of tiles."""
        return tuple(accumulate((len(group.tiles) for group in self.tiled), initial=0))


def last_writers(
    groups: Sequence[GroupPlan], starts: Sequence[int], in_dram: frozenset[str]
) -> dict[int, int]:
    """Per group, the last tile that stores something the group loads back from DRAM."""
    last_tile = {group.group.ofmap.name: starts[g + 1] - 1 for g, group in enumerate(groups)}
    return {
        g: max(
            (last_tile.get(t.name, NONE) for t in group.live.inputs if t.name in in_dram),
            default=NONE,
        )
        for g, group in enumerate(groups)
    }
