"""A structure's schedule with the times of one design put back in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from simulator.fast.designs import DesignTable
from simulator.fast.structure import Common, Index, Structure
from simulator.mapping.schedule import Schedule, Speculation


def timed_schedule(
    structure: Structure, schedule: Schedule, table: DesignTable, design: int
) -> Schedule:
    """What the scheduler would have built for a design, of a schedule built for its family."""
    column = _Column(table, design)
    durations, tiles, commands = structure.durations, structure.tile_op, structure.command_op
    transfers = column.transfers([number for number, _ in structure.transfers])
    return replace(
        schedule,
        tiles=replace(
            schedule.tiles,
            pe_ps=column.durations(durations[3, tiles]),
            vector_ps=column.durations(durations[2, tiles]),
            after_delay_ps=column.durations(structure.after_delay),
        ),
        commands=replace(
            schedule.commands,
            release_delay_ps=column.durations(structure.release_delay),
            latency_ps=column.durations(durations[4, commands]),
            **transfers,
        ),
        descriptor_ps=column.duration(Common.DESCRIPTOR),
        branch_room_ps=tuple(
            column.duration(structure.rooms[tile]) for tile in schedule.branch_tiles
        ),
        speculation=_timed_speculation(schedule.speculation, column),
    )


def _timed_speculation(speculation: Speculation | None, column: _Column) -> Speculation | None:
    if speculation is None:
        return None
    delay_ps = column.duration(Common.FETCH_DELAY)
    return replace(
        speculation,
        decision_delay_ps=delay_ps if speculation.decision_delay_ps else 0,
        latency_ps=(column.duration(Common.READ_LATENCY),) * len(speculation.decision),
        release_delay_ps=tuple(delay_ps if late else 0 for late in speculation.release_delay_ps),
        **column.transfers(speculation.occupancy_ps),
    )


class _Column:
    """One design's durations and transfers, by number."""

    def __init__(self, table: DesignTable, design: int) -> None:
        self._table, self._design = table, design

    def duration(self, number: int) -> int:
        return int(self._table.durations_ps[number, self._design])

    def durations(self, numbers: Index) -> tuple[int, ...]:
        return tuple(self._table.durations_ps[numbers, self._design].tolist())

    def transfers(self, numbers: list[int] | tuple[int, ...]) -> dict[str, Any]:
        """Columns of commands or entries."""
        table, design, rows = self._table, self._design, list(numbers)
        return {
            "occupancy_ps": tuple(table.durations_ps[rows, design].tolist()),
            "bus_bytes": tuple(table.bus_bytes[rows, design].tolist()),
            "bursts": tuple(table.bursts[rows, design].tolist()),
            "activates": tuple(table.activates[rows, design].tolist()),
        }
