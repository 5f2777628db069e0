"""Runs one schedule through the SimPy processes."""

from __future__ import annotations

from dataclasses import dataclass

import simpy
from simpy.core import EmptySchedule

from simulator.engine.clock import Shared
from simulator.engine.compute_units import pe_array, vector_unit
from simulator.engine.dma import dma
from simulator.engine.dram import dram
from simulator.engine.scratchpad import Scratchpad
from simulator.engine.sequencer import sequencer
from simulator.engine.speculation import Speculative, decide, shared_bus, speculative_queue
from simulator.mapping.schedule import Schedule
from simulator.timeline import Timeline


@dataclass(frozen=True)
class EngineRun:
    """What one engine run yields beside the timeline."""

    timeline: Timeline
    scratchpad_peak_bytes: int
    event_count: int


def simulate(schedule: Schedule) -> EngineRun:
    """Replay a schedule event by event.

    Raises:
        CapacityExceededError: the schedule overfills the scratchpad (a planner's defect).
    """
    env = simpy.Environment()
    shared = Shared(env, schedule)
    scratchpad = Scratchpad(schedule, lambda: int(env.now))
    if schedule.speculation is not None:
        shared.speculative = Speculative(shared, schedule.speculation)
    env.process(sequencer(shared, scratchpad))
    env.process(pe_array(shared))
    env.process(vector_unit(shared, scratchpad))
    env.process(dma(shared, scratchpad))
    state = shared.speculative
    if state is None:
        env.process(dram(shared))
    else:
        for decision in state.decided:
            env.process(speculative_queue(shared, state, scratchpad, decision))
            env.process(decide(shared, state, scratchpad, decision))
        env.process(shared_bus(shared, state))
    event_count = _run_out(env)
    timeline = Timeline(
        schedule=schedule,
        pe_start_ps=tuple(shared.tile_dispatched.time_ps),
        pe_end_ps=tuple(shared.pe_done.time_ps),
        vector_start_ps=tuple(shared.vector_started.time_ps),
        vector_end_ps=tuple(shared.tile_done.time_ps),
        issue_ps=tuple(shared.issued.time_ps),
        bus_start_ps=tuple(shared.bus_taken.time_ps),
        bus_end_ps=tuple(shared.bus_freed.time_ps),
        complete_ps=tuple(shared.complete.time_ps),
        early=state.early() if state else (),
    )
    return EngineRun(timeline, scratchpad.peak_bytes, event_count)


def _run_out(env: simpy.Environment) -> int:
    """Process events until none is left; how many steps that took, the last of them empty."""
    event_count = 0
    try:
        while True:
            event_count += 1
            env.step()
    except EmptySchedule:
        return event_count
