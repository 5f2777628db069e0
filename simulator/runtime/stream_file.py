"""A stream's runs as data: the summary, the complete result with its provenance, the windows."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import Any

from simulator.result import StallKind
from simulator.result_file import inputs_provenance, used_versions
from simulator.runtime.comparison import StreamComparison
from simulator.runtime.locality import Locality
from simulator.runtime.stream_result import StreamResult
from simulator.runtime.tally import Tally
from simulator.units import pj_to_j, ps_to_s

STREAM_SCHEMA = "simulator.stream"
STREAM_VERSION = 1
PERCENTILES = (50.0, 90.0, 99.0, 99.9)


def summarise_stream(comparison: StreamComparison) -> dict[str, Any]:
    """The figures most people want, per way of keeping weights."""
    stream = comparison.stream
    return {
        "workload": comparison.workload.name,
        "spec": comparison.spec.name,
        **comparison.choice.to_data(),
        "stream": {
            "kind": stream.kind.value,
            "inferences": stream.count,
            "seed": stream.seed,
            "persistence_fraction": stream.persistence,
            "burst": stream.burst,
            "inputs_from": stream.population.origin,
        },
        "locality": _locality_to_data(comparison.locality, comparison),
        "most_hit_fraction": comparison.most_hit_fraction,
        "optimum_hit_fraction": comparison.optimum_hit_fraction,
        "residency": [_result_to_data(comparison, result) for result in comparison.results],
        "margins": [_result_to_data(comparison, result) for result in comparison.margins],
    }


def stream_to_json(comparison: StreamComparison, spec_origin: str) -> str:
    """The complete result: same inputs and versions, same bytes."""
    data = {
        "schema": STREAM_SCHEMA,
        "schema_version": STREAM_VERSION,
        "summary": summarise_stream(comparison),
        "tried_regions": [asdict(tried) for tried in comparison.tried_sizes],
        "provenance": {
            **inputs_provenance(comparison.workload, comparison.spec, spec_origin),
            **comparison.choice.to_data(),
            "seed": comparison.stream.seed,
            "versions": used_versions(),
        },
    }
    return json.dumps(data, indent=1) + "\n"


def windows_to_csv(comparison: StreamComparison) -> str:
    """Sums over consecutive inferences, one window per line under a header."""
    rows = [
        {
            "residency": result.residency.policy.value,
            "standin": result.residency.standin,
            "margin": result.margin,
            **asdict(window),
        }
        for result in (*comparison.results, *comparison.margins)
        for window in result.windows
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _result_to_data(comparison: StreamComparison, result: StreamResult) -> dict[str, Any]:
    residency, n = result.residency, result.inferences
    interval = result.interval("hit_bytes", "weight_bytes")
    latency = result.latencies_ps
    return {
        "residency": residency.policy.value,
        "granularity": residency.granularity.value,
        "region_bytes": residency.region_bytes,
        "scope": residency.scope.value,
        "bit_slices": residency.bit_slices if residency.granularity == "bit_slice" else None,
        "standin": residency.standin,
        "margin": result.margin,
        "hit_fraction": result.hit_fraction,
        "hit_fraction_interval": [interval.low, interval.high] if interval else None,
        "regret_fraction": comparison.regret(result),
        "latency_s": {
            "mean": ps_to_s(1) * latency.mean,
            **{f"p{p:g}": ps_to_s(latency.percentile(p)) for p in PERCENTILES},
            "max": ps_to_s(latency.percentile(100)),
            "exact": latency.exact,
        },
        "stalls_s": {kind.value: ps_to_s(1) * result.stalls_ps[kind] / n for kind in StallKind},
        "energy_j": pj_to_j(result.mean("energy_pj")),
        "weight_read_bytes": result.mean("weight_read_bytes"),
        "dram_bytes": result.mean("dram_bytes"),
        "wasted_bytes": result.mean("wasted_bytes"),
        "skipped_bytes": result.mean("skipped_bytes"),
        "standin_fraction": result.mean("standins"),
        "diverted_fraction": result.mean("diverted"),
        "accuracy_fraction": result.mean("right") if result.judged else None,
        "cases_simulated": result.cases,
    }


def _locality_to_data(locality: Locality, comparison: StreamComparison) -> dict[str, Any]:
    return {
        "leaves": [list(arms) for arms in locality.leaves],
        "leaf_shares": list(locality.shares),
        "transitions": [list(row) for row in locality.transitions],
        "entropy_bits": locality.entropy_bits,
        "conditional_entropy_bits": locality.conditional_entropy_bits,
        "run_length": _tally_to_data(locality.run_lengths),
        "reuse_distance_bytes": _tally_to_data(locality.weighted_reuse_bytes),
        "nodes": [
            {
                "node": node.name,
                "weight_bytes": n_bytes,
                "probability": probability,
                "reuse_distance_bytes": _tally_to_data(reuse),
            }
            for node, n_bytes, probability, reuse in zip(
                comparison.itinerary.nodes,
                comparison.node_bytes,
                comparison.itinerary.probabilities,
                locality.reuse_bytes,
                strict=True,
            )
        ],
    }


def _tally_to_data(tally: Tally) -> dict[str, Any]:
    return {
        "mean": tally.mean,
        **{f"p{p:g}": tally.percentile(p) for p in PERCENTILES},
        "max": tally.percentile(100),
    }
