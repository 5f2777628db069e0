"""Releases every load of a route as early as order, routing and room allow.

A plain function over columns, so that sweeps can compile it (`simulator.fast.compiled`); a single
run interprets it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simulator.mapping.schedule import NONE, ReleaseCause

Column = Any
"""One integer per load or tile: a list, or an array of 64-bit integers."""
CAUSES = (ReleaseCause.START, ReleaseCause.ROUTE, ReleaseCause.SPACE, ReleaseCause.DATA)
START, ROUTE, SPACE, DATA = range(len(CAUSES))
"""Causes by their codes."""
QUEUES = 4
"""Loads are released in order within a queue: of weights or inputs, of tied weights or others."""


class Loads(NamedTuple):
    """Per load, in order of need.

    Attributes:
        tile: needs it. last: the last one that does. n_bytes: its size.
        queue: which loads it stays behind. is_kept, is_direct: see `tiles.Load`.
        stored: the tile that stores what it reads. decided: the decision it waits for.
        not_before: the tile that must be done before the toolchain has it fetched.
        entry: what is speculated on of it; such loads are placed already.
    """

    tile: Column
    last: Column
    n_bytes: Column
    queue: Column
    is_kept: Column
    is_direct: Column
    stored: Column
    decided: Column
    not_before: Column
    entry: Column


class Placed(NamedTuple):
    """Per load: the tile that releases it, the code of the cause, the tile whose store it follows.

    The store must be complete first: the load reads what was stored, or takes the place of the
    output buffers. `fence` is the decision whose lost granules must have landed.
    """

    release: Column
    cause: Column
    after: Column
    fence: Column


class State(NamedTuple):
    """What placing changes as it goes on.

    Attributes:
        used: scratchpad bytes taken, an array over tiles.
        drains: by tile, the one whose store must be complete when space is handed on there.
        release, cause: of the last load of each queue.
    """

    used: Any
    drains: Column
    release: Column
    cause: Column


class Rules(NamedTuple):
    """What holds between two decisions.

    Attributes:
        budget_bytes: scratchpad bytes there are.
        overlaps: whether transfers overlap computing; else a load is issued one tile ahead.
        undecided: the cause of waiting for a decision.
        lost_bytes, lost_at: see `SpeculationPlacer`.
    """

    budget_bytes: int
    overlaps: bool
    undecided: int
    lost_bytes: int
    lost_at: int


def place_loads(
    loads: Loads, span: tuple[int, int], state: State, rules: Rules, placed: Placed
) -> None:
    """Place the loads from the first of a span up to its second."""
    used, drains = state.used, state.drains
    fence_room = rules.budget_bytes - rules.lost_bytes
    for n in range(span[0], span[1]):
        if loads.entry[n] != NONE:
            continue
        tile, last, queue, stored = loads.tile[n], loads.last[n], loads.queue[n], loads.stored[n]
        earliest, cause = state.release[queue], state.cause[queue]
        if stored > earliest:
            earliest, cause = stored, DATA
        if loads.decided[n] > earliest:
            earliest, cause = loads.decided[n], rules.undecided
        if loads.not_before[n] > earliest:
            earliest, cause = loads.not_before[n], DATA
        release, after, fence = earliest, stored, NONE
        if loads.is_direct[n] and not loads.is_kept[n]:
            # The block buffer has room for the inputs of one tile beside those in use.
            release = max(earliest, tile - (2 if rules.overlaps else 1))
        elif not loads.is_kept[n]:
            # Back from the tile that needs it to the last one without room for it.
            room = rules.budget_bytes - loads.n_bytes[n]
            if not rules.overlaps:
                release = max(earliest, tile - 1)
            if release + 1 < tile:
                if used[tile - 1] > room:
                    release = tile - 1
                else:
                    blocked = (used[earliest + 1 : tile] > room).nonzero()[0]
                    if blocked.size:
                        release = earliest + 1 + int(blocked[-1])
            used[release + 1 : last + 1] += loads.n_bytes[n]
            if release != NONE:
                after = max(stored, drains[release])
            if rules.lost_bytes and (used[release + 1 : last + 1] > fence_room).any():
                fence = rules.lost_at
        if release > earliest:
            cause = SPACE if rules.overlaps else DATA
        state.release[queue], state.cause[queue] = release, cause
        placed.release[n], placed.cause[n] = release, cause
        placed.after[n], placed.fence[n] = after, fence
