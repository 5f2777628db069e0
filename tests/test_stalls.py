"""What a gap is charged to, on schedules small enough to work out by hand (times in ps)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.engine import simulate
from simulator.mapping.schedule import NONE, CommandColumns, ReleaseCause, Schedule, TileColumns
from simulator.mapping.tiles import TransferKind
from simulator.result import StallKind
from simulator.stalls import partition

WEIGHT, IFMAP, OFMAP = TransferKind.WEIGHT, TransferKind.IFMAP, TransferKind.OFMAP


def schedule(
    pe_ps: list[int],
    *commands: tuple[TransferKind, int, int, ReleaseCause, int],
    after_command: dict[int, int] | None = None,
    store_waits: dict[int, int] | None = None,
    delays: dict[int, int] | None = None,
    branch: tuple[tuple[int, ...], tuple[int, ...]] = ((), ()),
) -> Schedule:
    """Tiles of PE time; commands as (kind, tile, tile that releases it, why, bus time).

    Every load's tile waits for it. Latencies and descriptors are 0. `store_waits` and `delays`
    are by tile, `after_command` by command, `branch` lists decisions and their room.
    """
    n, m = len(pe_ps), len(commands)
    loads = {tile: j for j, (kind, tile, *_) in enumerate(commands) if kind is not OFMAP}
    after, waits, delay = after_command or {}, store_waits or {}, delays or {}
    return Schedule(
        groups=(),
        tiled=(),
        tiles=TileColumns(
            group=(0,) * n,
            pe_ps=tuple(pe_ps),
            vector_ps=(0,) * n,
            after_tile=tuple(i - 1 if i in delay else NONE for i in range(n)),
            after_delay_ps=tuple(delay.get(i, 0) for i in range(n)),
            load_command=tuple(loads.get(i, NONE) for i in range(n)),
            store_command=tuple(waits.get(i, NONE) for i in range(n)),
        ),
        commands=CommandColumns(
            kind=tuple(c[0] for c in commands),
            n_bytes=(1,) * m,
            tile=tuple(c[1] for c in commands),
            release_tile=tuple(c[2] for c in commands),
            release_delay_ps=tuple(delay.get(c[2] + 1, 0) for c in commands),
            release_cause=tuple(c[3] for c in commands),
            after_command=tuple(after.get(j, NONE) for j in range(m)),
            free_tile=(n - 1,) * m,
            staged=(False,) * m,
            bus_bytes=(1,) * m,
            occupancy_ps=tuple(c[4] for c in commands),
            latency_ps=(0,) * m,
        ),
        fixed_bytes=(0,) * n,
        budget_bytes=m,
        channels=8,
        descriptor_ps=0,
        branch_tiles=branch[0],
        branch_room_ps=branch[1],
    )


def charged(made: Schedule) -> list[dict[str, int]]:
    """Per tile, the compute and stall times that are not zero; they must be the whole latency."""
    timeline = simulate(made).timeline
    shares = partition(timeline)
    found = []
    for share in shares:
        named = {kind.value: time for kind, time in share.stalls_ps.items() if time}
        found.append(({"compute": share.compute_ps} if share.compute_ps else {}) | named)
    assert sum(sum(times.values()) for times in found) == timeline.latency_ps
    return found


START, SPACE, ROUTE, DATA = (
    ReleaseCause.START,
    ReleaseCause.SPACE,
    ReleaseCause.ROUTE,
    ReleaseCause.DATA,
)


@pytest.mark.parametrize(("kind", "name"), [(WEIGHT, "weight_wait"), (IFMAP, "activation_wait")])
def test_data_that_was_asked_for_at_once_is_late_for_want_of_bandwidth(
    kind: TransferKind, name: str
) -> None:
    # Tile 0 waits 30. Tile 1's data arrives at 30 + 50 = 80, tile 0 is done at 40.
    made = schedule([10, 5], (kind, 0, NONE, START, 30), (kind, 1, NONE, START, 50))
    assert charged(made) == [{"compute": 10, name: 30}, {"compute": 5, name: 40}]


def test_a_load_that_had_no_room_is_charged_for_the_time_the_bus_was_idle() -> None:
    # Released when tile 0 is done, at 10: the bus had been idle for 10. The load takes 25, of
    # which 10 could have been saved; 15 are the bandwidth's.
    made = schedule([10, 5], (WEIGHT, 1, 0, SPACE, 25))
    assert charged(made) == [
        {"compute": 10},
        {"compute": 5, "scratchpad_full": 10, "weight_wait": 15},
    ]


def test_idle_time_is_charged_once() -> None:
    # The second load of 25 follows the first without a pause: all of its wait is bandwidth's.
    made = schedule([10, 5, 5], (WEIGHT, 1, 0, SPACE, 25), (WEIGHT, 2, 0, SPACE, 25))
    assert charged(made) == [
        {"compute": 10},
        {"compute": 5, "scratchpad_full": 10, "weight_wait": 15},
        {"compute": 5, "weight_wait": 20},
    ]


def test_idle_time_not_used_yet_is_charged_to_a_later_wait() -> None:
    # The bus was idle for 100 before the first load, which delays tile 1 by 30 only; the 70 left
    # could have brought the second load forward, which delays tile 2 by 45.
    made = schedule([100, 5, 5], (WEIGHT, 1, 0, SPACE, 30), (WEIGHT, 2, 0, SPACE, 50))
    assert charged(made) == [
        {"compute": 100},
        {"compute": 5, "scratchpad_full": 30},
        {"compute": 5, "scratchpad_full": 45},
    ]


def test_waiting_for_stored_data_is_no_lack_of_room() -> None:
    made = schedule([10, 5], (OFMAP, 0, 0, DATA, 20), (IFMAP, 1, 0, DATA, 25), after_command={1: 0})
    assert charged(made) == [{"compute": 10}, {"compute": 5, "activation_wait": 45}]


def test_a_tile_waits_for_output_buffers() -> None:
    # Tile 0's outputs leave from 10 to 60; tile 2 needs their buffer.
    made = schedule([10, 10, 10], (OFMAP, 0, 0, DATA, 50), store_waits={2: 0})
    assert charged(made) == [
        {"compute": 10},
        {"compute": 10},
        {"compute": 10, "scratchpad_full": 40},
    ]


def test_buffers_first_then_the_load() -> None:
    # Until 60 the output buffer is missing, then the data, asked for at once behind the store.
    made = schedule(
        [10, 10], (OFMAP, 0, 0, DATA, 50), (WEIGHT, 1, 0, START, 40), store_waits={1: 0}
    )
    assert charged(made) == [
        {"compute": 10},
        {"compute": 10, "scratchpad_full": 50, "weight_wait": 40},
    ]


def test_the_last_outputs_drain() -> None:
    assert charged(schedule([10], (OFMAP, 0, 0, DATA, 70))) == [{"compute": 10, "drain": 70}]


def route(room_ps: int) -> Schedule:
    """A router of 100, 20 until the decision holds, 50 to load an arm of 5."""
    return schedule([100, 5], (WEIGHT, 1, 0, ROUTE, 50), delays={1: 20}, branch=((0,), (room_ps,)))


def test_what_the_decision_held_back_is_charged_to_it() -> None:
    # 20 until the decision holds. Then 50 for the load; the bus had been idle for 120, and the
    # scratchpad had room for more than 50.
    assert charged(route(1000)) == [{"compute": 100}, {"compute": 5, "route_wait": 20 + 50}]


def test_a_known_route_could_not_have_loaded_more_than_there_was_room_for() -> None:
    # Room for 30 of the 50: the other 20 could not have been loaded anyway.
    made = charged(route(30))
    assert made == [{"compute": 100}, {"compute": 5, "route_wait": 50, "scratchpad_full": 20}]


def test_without_an_idle_bus_the_decision_cost_only_its_own_time() -> None:
    # The bus is busy until 150 with outputs; the arm's load follows at once.
    made = schedule(
        [40, 60, 5],
        (OFMAP, 0, 0, DATA, 110),
        (WEIGHT, 2, 1, ROUTE, 50),
        delays={2: 20},
        branch=((1,), (1000,)),
    )
    assert charged(made) == [
        {"compute": 40},
        {"compute": 60},
        {"compute": 5, "route_wait": 20, "weight_wait": 80},
    ]


def test_vector_work_is_compute_and_overlap_counts_once() -> None:
    made = schedule([10, 10, 10])
    tiles = replace(made.tiles, vector_ps=(30, 5, 5))
    # Vector: 0 to 30, 30 to 35, 35 to 40; the third tile's array work starts at 30.
    assert charged(replace(made, tiles=tiles)) == [{"compute": 30}, {"compute": 5}, {"compute": 5}]


def test_every_kind_is_named_in_a_result() -> None:
    assert {kind.value for kind in StallKind} == {
        "weight_wait",
        "activation_wait",
        "route_wait",
        "mispredict_refetch",
        "scratchpad_full",
        "drain",
    }
