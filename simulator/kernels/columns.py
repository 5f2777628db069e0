"""A schedule and its times as kernels read and write them: columns of integers."""

from __future__ import annotations

from typing import Any, NamedTuple

Column = Any
"""One integer per tile, command or entry: a sequence, or an array of 64-bit integers."""


class Tiles(NamedTuple):
    """Per tile: its times, what it waits for, the bytes it needs; `room_ps` of decisions only.

    `is_pe` is not 0 if it uses the PE array; all else is as in `Schedule`.
    """

    pe_ps: Column
    vector_ps: Column
    after: Column
    delay_ps: Column
    load: Column
    store: Column
    fence: Column
    is_pe: Column
    fixed_bytes: Column
    room_ps: Column


class Commands(NamedTuple):
    """Per command, as in `CommandColumns`; `cause` is a code of `kernels.shares`.

    `entry` may have fetched it early. `before` is the branch before whose decision it is issued,
    though released after other code. `buffer_bytes` are taken from its issue on.
    """

    occupancy_ps: Column
    latency_ps: Column
    release: Column
    delay_ps: Column
    after: Column
    entry: Column
    fence: Column
    before: Column
    cause: Column
    is_weight: Column
    buffer_bytes: Column


class Entries(NamedTuple):
    """Per load that is speculated on, as in `Speculation`; `is_lost` if its arm is not taken."""

    branch: Column
    is_lost: Column
    n_bytes: Column
    occupancy_ps: Column
    latency_ps: Column
    release: Column
    delay_ps: Column
    after: Column
    fence: Column
    buffer_bytes: Column


class Branches(NamedTuple):
    """Per branch that is speculated on: the tile that decides it, its entries [first, end)."""

    tile: Column
    first: Column
    end: Column


class Dma(NamedTuple):
    """What all commands share."""

    channels: int
    descriptor_ps: int
    granule_bytes: int
    decision_delay_ps: int


class Work(NamedTuple):
    """A schedule, as the recurrence reads it.

    `order` lists operations so that each follows what it waits for: tile i as i, command j as
    tiles + j, the decision of branch b as tiles + commands + b.
    """

    order: Column
    tiles: Tiles
    commands: Commands
    entries: Entries
    branches: Branches
    dma: Dma


class Times(NamedTuple):
    """When everything happened, in picoseconds; see `Timeline`.

    Of entries: when they were issued, the bytes fetched early, when the last was off the bus and
    when in place. Bursts are in order of time. `cleared`, per deciding tile: when all that was
    fetched in vain has landed.
    """

    pe_start: Column
    pe_end: Column
    vector_start: Column
    vector_end: Column
    issue: Column
    bus_start: Column
    bus_end: Column
    complete: Column
    early_issue: Column
    early_bytes: Column
    early_end: Column
    early_landed: Column
    burst_entry: Column
    burst_start: Column
    burst_end: Column
    burst_bytes: Column
    cleared: Column
