"""Accounts for every scratchpad byte while an inference runs and enforces the capacity."""

from __future__ import annotations

from collections.abc import Callable

from simulator.mapping.schedule import Schedule
from simulator.mapping.tiles import TransferKind


class CapacityExceededError(AssertionError):
    """The schedule put more into the scratchpad than it holds: a defect of the planner."""


class Scratchpad:
    """Occupied bytes over time: what the running layer keeps, and the buffers of loads.

    The peak is the most there is while time passes: of what happens at the same instant, the order
    is no property of the device.
    """

    def __init__(self, schedule: Schedule, now_ps: Callable[[], int]) -> None:
        self._schedule, self._now_ps = schedule, now_ps
        self._loaded_bytes = 0
        self._fixed_bytes = schedule.fixed_bytes[0]
        self._freed_by_tile = [0] * len(schedule.tiles.group)
        self._buffer_bytes = _buffer_bytes(schedule)
        for n_bytes, tile in zip(self._buffer_bytes, schedule.commands.free_tile, strict=True):
            if n_bytes:
                self._freed_by_tile[tile] += n_bytes
        self._speculated: set[int] = set()
        self._dispatched = -1
        self._settled_ps = 0
        self._peak_bytes = 0

    @property
    def peak_bytes(self) -> int:
        """Most bytes occupied for any length of time, so far."""
        return max(self._peak_bytes, self._loaded_bytes + self._fixed_bytes)

    def _settle(self) -> None:
        """Count what was occupied since the last change, if time has passed since then."""
        now_ps = self._now_ps()
        if now_ps > self._settled_ps:
            self._peak_bytes = self.peak_bytes
            self._settled_ps = now_ps

    def on_issue(self, command: int) -> None:
        """A load takes its buffer when it is issued, if speculation has not taken it before."""
        n_bytes = self._buffer_bytes[command]
        if n_bytes and command not in self._speculated:
            self._settle()
            self._loaded_bytes += n_bytes
            self._check()

    def on_speculate(self, command: int, n_bytes: int) -> None:
        """A speculative load takes its buffer when it is issued; `command` may fetch the rest."""
        self._settle()
        self._speculated.add(command)
        self._loaded_bytes += n_bytes
        self._check()

    def on_lost(self, n_bytes: int) -> None:
        """The loads of arms not taken give their buffers back."""
        self._settle()
        self._loaded_bytes -= n_bytes

    def on_dispatch(self, tile: int) -> None:
        """A tile's activations, partial sums and output buffers are there while it runs."""
        self._settle()
        self._dispatched = tile
        self._fixed_bytes = self._schedule.fixed_bytes[tile]
        self._check()

    def on_tile_done(self, tile: int) -> None:
        """Loads whose last reader this was give their buffers back, and a layer its own."""
        self._settle()
        self._loaded_bytes -= self._freed_by_tile[tile]
        fixed = self._schedule.fixed_bytes
        if tile == self._dispatched and tile + 1 < len(fixed):
            self._fixed_bytes = fixed[tile + 1]
            if self._schedule.speculation and tile in self._schedule.speculation.entries_of:
                # Until the arm starts, speculation may fill what its first layer will need.
                self._fixed_bytes = min(fixed[tile], fixed[tile + 1])

    def _check(self) -> None:
        occupied = self._loaded_bytes + self._fixed_bytes
        if occupied > self._schedule.budget_bytes:
            raise CapacityExceededError(
                f"{occupied} B in a scratchpad budget of {self._schedule.budget_bytes} B"
            )


def _buffer_bytes(schedule: Schedule) -> list[int]:
    """Per command, bytes it takes when issued: 0 for stores and for staged loads.

    The space of the latter is fixed from the start.
    """
    commands = schedule.commands
    return [
        0 if kind is TransferKind.OFMAP or staged else n_bytes
        for kind, staged, n_bytes in zip(
            commands.kind, commands.staged, commands.n_bytes, strict=True
        )
    ]
