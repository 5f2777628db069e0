"""Runs a stream through a device along the routes of hard routing."""

from __future__ import annotations

from simulator.runtime.device import Device
from simulator.runtime.optimum import most_hit_bytes
from simulator.runtime.region import Region
from simulator.runtime.residency import Residency, ResidencyPolicy, Scope, replacement_of
from simulator.runtime.stream_result import StreamResult
from simulator.runtime.streams import Stream

MOST_WINDOWS = 500


def window_length(inferences: int) -> int:
    """Inferences per window, so that there are at most 500."""
    return max(-(-inferences // MOST_WINDOWS), 1)


def device_for(device: Device, residency: Residency, stream: Stream) -> Device:
    """A device alike for a stream; belady alone is told what is to come, and holds all of it."""
    future = list(stream.routes()) if residency.policy is ResidencyPolicy.BELADY else None
    return device.alike(residency, future)


def run_stream(device: Device, stream: Stream) -> StreamResult:
    """Serve all inputs of a stream along hard routing's routes, from an empty scratchpad.

    What stand-ins do to routes and answers takes outcomes to know: `routed_stream`.
    """
    device.reset()
    result = StreamResult(device.residency, window_length(stream.count))
    for arms in stream.routes():
        result.add(device.serve(arms))
    return result


def highest_hit_fraction(device: Device, stream: Stream) -> float:
    """The share of weight bytes that no policy at any granularity can exceed, on a tree.

    Belady's policy at the granularity of bytes, where all units have one size, in the device's
    region and scope (see `simulator.runtime.replacement.belady`).
    """
    itinerary = device.itinerary
    region = Region(
        device.residency.region_bytes,
        [range(cut.n_bytes + 1) for cut in device.cuts],
        replacement_of(ResidencyPolicy.BELADY, itinerary, stream.routes()),
        itinerary.backbone if device.residency.scope is Scope.BRANCHES else frozenset(),
    )
    hit = needed = 0
    for arms in stream.routes():
        for node, before, _ in region.pass_through(itinerary, arms):
            hit += before
            needed += device.cuts[node].n_bytes
    return hit / needed if needed else 0.0


def optimum_hit_fraction(device: Device, stream: Stream) -> float:
    """The most that can be hit in the device's units, for short streams: all choices are tried.

    Raises:
        UserError: too many states of the region.
    """
    routes = list(stream.routes())
    barred = device.itinerary.backbone if device.residency.scope is Scope.BRANCHES else frozenset()
    prefixes = [
        (0,) if node in barred else cut.prefix_bytes for node, cut in enumerate(device.cuts)
    ]
    hit = most_hit_bytes(device.itinerary, prefixes, device.residency.region_bytes, routes)
    needed = sum(
        device.cuts[node].n_bytes for arms in routes for node in device.itinerary.path(arms)
    )
    return hit / needed if needed else 0.0
