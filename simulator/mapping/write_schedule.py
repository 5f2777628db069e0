"""Orders what was placed, and writes the columns of the schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from simulator.mapping.place_loads import CAUSES, DATA
from simulator.mapping.placing import Placing
from simulator.mapping.schedule import NONE, CommandColumns, Schedule, TileColumns
from simulator.mapping.speculation import CommandLinks, speculation_columns
from simulator.mapping.tiles import TransferKind, Whole
from simulator.mapping.transfers import Moves, TransferCosts
from simulator.spec import AcceleratorSpec

KINDS = (TransferKind.IFMAP, TransferKind.WEIGHT, TransferKind.OFMAP)


class _Commands(NamedTuple):
    """Per command: what orders it, its columns, and what it moves; see `Placed` and `Moves`."""

    rank: Whole
    place: Whole
    tile: Whole
    free: Whole
    is_staged: Whole
    entry: Whole
    release: Whole
    cause: Whole
    after: Whole
    fence: Whole
    group: Whole
    is_weight: Whole
    is_write: Whole
    n_bytes: Whole
    offset_bytes: Whole
    repeats: Whole


def write_schedule(placing: Placing, spec: AcceleratorSpec, costs: TransferCosts) -> Schedule:
    """Order all commands and write the columns."""
    route, speculation = placing.route, placing.speculation
    commands = _in_order(_all_commands(placing))
    numbers = np.arange(len(commands.tile))
    # One more place, for no tile.
    store_of, load_of = np.full((2, route.n_tiles + 1), NONE, dtype=np.int64)
    stores = commands.is_write == 1
    store_of[commands.tile[stores]] = numbers[stores]
    np.maximum.at(load_of, commands.tile[~stores], numbers[~stores])
    free_bytes = tuple(speculation.free_bytes(tile) for tile in route.decisions)
    promoted = commands.entry != NONE
    links = CommandLinks(
        promoted=_by(commands.entry[promoted], numbers[promoted]),
        store_command=_by(commands.tile[stores], numbers[stores]),
        command_fence=tuple(commands.fence.tolist()),
        tile_fence=speculation.tile_fences(),
    )
    return Schedule(
        groups=route.groups,
        tiled=route.tiled,
        tiles=_tile_columns(placing, spec, load_of, store_of),
        commands=_command_columns(placing, commands, store_of, costs),
        fixed_bytes=tuple(placing.fixed.tolist()),
        budget_bytes=placing.budget_bytes,
        channels=spec.dma.channels,
        descriptor_ps=spec.descriptor_latency_ps,
        branch_tiles=tuple(route.decisions),
        branch_room_ps=tuple(costs.dram.occupancy_ps(n_bytes) for n_bytes in free_bytes),
        branch_free_bytes=free_bytes,
        speculation=speculation_columns(
            speculation.placed, links, placing.fetch, spec.dma.preemption_bytes, costs
        ),
    )


def _by(keys: Whole, values: Whole) -> dict[int, int]:
    return dict(zip(keys.tolist(), values.tolist(), strict=True))


def _all_commands(placing: Placing) -> _Commands:
    """Loads, staged inputs and stores.

    Of one release, first comes what is left of loads speculated on, then loads the next tile waits
    for, then the store, then the rest.
    """
    route, placed, own = placing.route, placing.placed, placing.route.loads
    promoted = placing.entry != NONE
    urgent = (own.tile <= placed.release + 1) & (placed.after != placed.release)
    steps = len(placing.staged) + 1
    loads = _Commands(
        rank=np.where(promoted, -1, np.where(urgent, 0, 2)),
        place=np.arange(1, len(own.tile) + 1) * steps,
        tile=own.tile,
        free=own.tile + own.held_for,
        is_staged=np.where(promoted, own.is_kept, own.is_kept | own.is_direct),
        entry=placing.entry,
        **placed._asdict(),
        group=route.load_group,
        is_weight=own.is_weight,
        is_write=np.zeros(len(own.tile), dtype=np.int64),
        n_bytes=own.n_bytes,
        offset_bytes=own.offset_bytes,
        repeats=own.repeats,
    )
    rows = []
    for nth, each in enumerate(placing.staged, start=1):
        tile = route.starts[each.group]
        rank = 0 if NONE != each.release >= tile - 1 else 2
        # A group's staged inputs come before its loads.
        place = route.first_load[each.group] * steps + nth
        placed_as = (each.release, each.cause, NONE, each.fence)
        rows.append(
            (rank, place, tile, tile, 1, NONE, *placed_as, each.group, 0, 0, each.n_bytes, 0, 1)
        )
    n_bytes = np.concatenate([tiled.store_bytes for tiled in route.tiled])
    for tile in sorted(placing.store_wait):
        waits = (tile, DATA, NONE, NONE)
        moved = (route.group_of[tile], 0, 1, n_bytes[tile], 0, 1)
        rows.append((1, 0, tile, NONE, 0, NONE, *waits, *moved))
    others = np.array(rows, dtype=np.int64).reshape(-1, len(_Commands._fields)).T
    return _Commands(*np.concatenate((np.array(loads), others), axis=1))


def _in_order(commands: _Commands) -> _Commands:
    order = np.lexsort((commands.place, commands.rank, commands.release))
    return _Commands(*np.array(commands)[:, order])


def _tile_columns(
    placing: Placing, spec: AcceleratorSpec, load_of: Whole, store_of: Whole
) -> TileColumns:
    route = placing.route
    n_tiles, starts = route.n_tiles, np.array(route.starts[:-1], dtype=np.int64)
    waits = np.full(n_tiles + 2, NONE, dtype=np.int64)
    makers, waiters = np.array([*placing.store_wait.items()], dtype=np.int64).reshape(-1, 2).T
    np.maximum.at(waits, waiters, store_of[makers])
    pe_cycles = np.concatenate([tiled.pe_cycles for tiled in route.tiled])
    vector_cycles = np.concatenate([tiled.vector_cycles for tiled in route.tiled])
    setup_ps = np.zeros(n_tiles, dtype=np.int64)
    setup_ps[starts] = spec.layer_setup_ps
    setup_ps[0] += spec.inference_setup_ps
    on_pe = pe_cycles > 0
    after = np.full(n_tiles, NONE, dtype=np.int64)
    after[starts] = starts - 1
    decided = np.isin(after, route.decisions)
    return TileColumns(
        group=tuple(route.group_of.tolist()),
        pe_ps=_times(pe_cycles, spec.pe_cycles_to_ps, np.where(on_pe, setup_ps, 0)),
        vector_ps=_times(vector_cycles, spec.vector_cycles_to_ps, np.where(on_pe, 0, setup_ps)),
        after_tile=tuple(after.tolist()),
        after_delay_ps=tuple(np.where(decided, spec.branch_latency_ps, 0).tolist()),
        load_command=tuple(load_of[:-1].tolist()),
        store_command=tuple(waits[:n_tiles].tolist()),
    )


def _times(cycles: Whole, to_ps: Callable[[int], int], setup_ps: Whole) -> tuple[int, ...]:
    """What each tile takes on a unit."""
    different, which = np.unique(cycles, return_inverse=True)
    each = np.array([to_ps(n) for n in different.tolist()], dtype=np.int64)
    return tuple((each[which] + setup_ps).tolist())


def _command_columns(
    placing: Placing, commands: _Commands, store_of: Whole, costs: TransferCosts
) -> CommandColumns:
    decisions = [] if placing.fetch.across_branches else placing.route.decisions
    waits_for_route = np.isin(commands.release, decisions) & (commands.is_write == 0)
    moves = Moves(*(getattr(commands, name) for name in Moves._fields))
    each = costs.of(placing.route.groups, moves)
    dram, delay_ps = costs.dram, placing.fetch.decision_delay_ps
    latency_ps = np.where(commands.is_write == 1, dram.write_latency_ps, dram.read_latency_ps)
    kinds = commands.is_weight + 2 * commands.is_write
    return CommandColumns(
        kind=tuple([KINDS[kind] for kind in kinds.tolist()]),
        n_bytes=tuple(commands.n_bytes.tolist()),
        tile=tuple(commands.tile.tolist()),
        release_tile=tuple(commands.release.tolist()),
        release_delay_ps=tuple(np.where(waits_for_route, delay_ps, 0).tolist()),
        release_cause=tuple([CAUSES[cause] for cause in commands.cause.tolist()]),
        after_command=tuple(store_of[commands.after].tolist()),
        free_tile=tuple(commands.free.tolist()),
        staged=tuple([bool(staged) for staged in commands.is_staged.tolist()]),
        bus_bytes=tuple([cost.bus_bytes for cost in each]),
        occupancy_ps=tuple([cost.occupancy_ps for cost in each]),
        latency_ps=tuple(latency_ps.tolist()),
        bursts=tuple([cost.bursts for cost in each]),
        activates=tuple([cost.activates for cost in each]),
    )
