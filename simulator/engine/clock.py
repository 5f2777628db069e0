"""What the processes share: the environment, who is done when, and the schedule."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import simpy

from simulator.mapping.schedule import Schedule

if TYPE_CHECKING:
    from simulator.engine.speculation import Speculative

Process = Generator[simpy.Event, Any, None]


class Completion:
    """A row of one-shot events, one per tile or command, with the time each happened."""

    def __init__(self, env: simpy.Environment, count: int) -> None:
        self._env = env
        self._events: list[simpy.Event | None] = [None] * count
        self.time_ps: list[int] = [0] * count

    def __getitem__(self, index: int) -> simpy.Event:
        event = self._events[index]
        if event is None:
            event = self._events[index] = simpy.Event(self._env)
        return event

    def signal(self, index: int) -> None:
        """Mark one as happened now and wake whoever waits for it."""
        self.time_ps[index] = int(self._env.now)
        event = self._events[index]
        if event is None:
            event = self._events[index] = simpy.Event(self._env)
        event.succeed()


class Shared:
    """The state that connects the processes of one simulated inference."""

    def __init__(self, env: simpy.Environment, schedule: Schedule) -> None:
        n_tiles, n_commands = len(schedule.tiles.group), len(schedule.commands.kind)
        self.env = env
        self.schedule = schedule
        self.tile_dispatched = Completion(env, n_tiles)
        self.pe_done = Completion(env, n_tiles)
        self.vector_started = Completion(env, n_tiles)
        self.tile_done = Completion(env, n_tiles)
        self.issued = Completion(env, n_commands)
        self.requested = Completion(env, n_commands)
        self.bus_taken = Completion(env, n_commands)
        self.bus_freed = Completion(env, n_commands)
        self.complete = Completion(env, n_commands)
        self.speculative: Speculative | None = None
        self.waiting: deque[int] = deque()
        self.bus_wake = env.event()

    def wake_bus(self) -> None:
        """Tell a bus that serves two queues that one of them has something for it."""
        self.bus_wake.succeed()
        self.bus_wake = self.env.event()
