"""A placement with managed nodes on a stream of inputs: real evictions, exact inferences.

Which nodes an inference finds on chip follows from a region (`simulator.runtime.region`) that
keeps whole nodes and evicts the least recently used. Each case met, a route and what of it was
on chip, is replayed once on the event engine. A missed node streams as if it were not to stay:
weights that a blocking reads more than once are read from DRAM each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from simulator.placement.costs import CostModel, Frame, Setting
from simulator.placement.hits import Locality
from simulator.placement.parts import Place, Tree
from simulator.placement.resimulate import Simulated, simulate_schedules
from simulator.placement.stages import Arms, Tier
from simulator.runtime.region import Region
from simulator.runtime.replacement.lru import LeastRecentlyUsed

STREAM_LENGTH = 20_000
"""Inferences of the stream; a hit rate's standard error is below half a point."""
STREAM_SEED = 0

Case = tuple[Arms, frozenset[int]]
"""A route, and its managed nodes that are on chip."""


def simulate_managed(
    model: CostModel,
    tree: Tree,
    places: Sequence[Place],
    frame: Frame,
    locality: Locality,
) -> Simulated:
    """Means over a stream in which an inference repeats the last route with some probability.

    The region is as large as the managed nodes take on average by prediction.
    """
    pinned = sum(tree.nodes[n].n_bytes(bits) for n, bits, tier in places if tier is Tier.PINNED)
    region_bytes = sum(
        round(tree.nodes[n].n_bytes(bits) * locality.occupancy(tree.reach(n)))
        for n, bits, tier in places
        if tier is Tier.MANAGED
    )
    cases, hits = _cases(tree, places, region_bytes, locality.persistence_fraction)
    latency = energy = read = 0.0
    for (arms, here), count in cases.items():
        settings: list[Setting] = [
            (bits, tier is Tier.PINNED or n in here) for n, bits, tier in places
        ]
        schedules = model.schedules(settings, frame, (arms,))
        if schedules is None:
            raise AssertionError("a setting that was costed no longer fits")
        found = simulate_schedules(schedules, model.spec, {arms: 1}, pinned + region_bytes)
        share = count / STREAM_LENGTH
        latency += share * found.latency_ps
        energy += share * found.energy_pj
        read += share * found.weight_read_bytes
    return Simulated(latency, energy, read, pinned + region_bytes, hits)


def _cases(
    tree: Tree, places: Sequence[Place], region_bytes: int, persistence: float
) -> tuple[Counter[Case], float | None]:
    """How often each case is met, and the share of managed nodes met that were on chip."""
    managed = {n for n, _, tier in places if tier is Tier.MANAGED}
    region = Region(
        region_bytes,
        [[0, tree.nodes[n].n_bytes(bits)] if n in managed else [0] for n, bits, _ in places],
        LeastRecentlyUsed(),
    )
    routes = list(tree.weights)
    shares = np.array([tree.weights[arms] for arms in routes], dtype=np.float64)
    rng = np.random.default_rng(STREAM_SEED)
    drawn = rng.choice(len(routes), size=STREAM_LENGTH, p=shares / shares.sum())
    repeats = rng.random(STREAM_LENGTH) < persistence
    stages = {
        arms: [s for s in tree.stages if arms[: len(s.prefix)] == s.prefix] for arms in routes
    }
    cases: Counter[Case] = Counter()
    met = on_chip = 0
    now = int(drawn[0])
    for at in range(STREAM_LENGTH):
        now = now if repeats[at] else int(drawn[at])
        region.begin()
        here = set()
        for stage in stages[routes[now]]:
            region.enter_leg(stage.nodes, frozenset())
            for node in managed.intersection(stage.nodes):
                before, _ = region.enter(node)
                met += 1
                if before:
                    here.add(node)
        on_chip += len(here)
        cases[routes[now], frozenset(here)] += 1
    return cases, on_chip / met if met else None
