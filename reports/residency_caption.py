"""The caption that the figures of a stream share."""

from __future__ import annotations

from reports import wording
from simulator.runtime.comparison import StreamComparison
from simulator.runtime.streams import StreamKind


def caption_of(comparison: StreamComparison) -> str:
    """Which stream, which region, which machine."""
    stream = comparison.stream
    order = {
        StreamKind.DATA_SET: "inputs in the data set's order",
        StreamKind.SHUFFLED: "inputs shuffled",
        StreamKind.CLASS_BURSTS: f"bursts of {stream.burst} inputs of a class",
        StreamKind.MARKOV: f"a leaf kept with probability {stream.persistence:g}",
        StreamKind.INDEPENDENT: "independent inputs",
    }[stream.kind]
    kept = comparison.results[-1].residency
    region = wording.three_digits(kept.region_bytes / 2**10)
    scope = "" if kept.scope == "all" else ", weights behind branches alone"
    return (
        f"{comparison.workload.name}, {stream.count:,} inferences, {order}; region of {region} "
        f"KiB, by {kept.granularity.replace('_', ' ')}{scope}\n{wording.hardware(comparison.spec)}"
    )
