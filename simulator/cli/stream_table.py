"""The result of `stream` as tables a person can read."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from simulator.cli.format import bar, kib, make_console, quantity
from simulator.runtime.comparison import StreamComparison
from simulator.runtime.locality import Locality
from simulator.runtime.residency import ONLINE
from simulator.runtime.stream_result import StreamResult
from simulator.runtime.streams import Stream, StreamKind
from simulator.units import pj_to_j, ps_to_s

MOST_LEAVES = 8
"""Transition matrices up to this size are printed."""


def print_stream(comparison: StreamComparison, spec_origin: str) -> None:
    """Print what every way of keeping weights brought on the stream, and how the stream is."""
    console = make_console()
    spec, stream = comparison.spec, comparison.stream
    console.print(f"[bold]{comparison.workload.name}[/] on [bold]{spec.name}[/]: {spec_origin}")
    console.print(
        f"policy {comparison.choice.text}, {stream.count} inferences, {_order(stream)}; "
        f"inputs from {stream.population.origin}",
        soft_wrap=True,
    )
    kept = comparison.results[-1].residency
    console.print(
        f"kept between inferences: by {kept.granularity}, scope {kept.scope}, in "
        f"{kib(kept.region_bytes)} of {kib(spec.scratchpad.capacity_bytes)}; the first inference "
        "finds nothing",
        soft_wrap=True,
    )
    console.print(_residency_table(comparison))
    console.print(
        f"No policy at any granularity keeps more than {_percent(comparison.most_hit_fraction)} "
        "of the weight bytes needed (Belady by bytes; regret is the distance from it).",
        soft_wrap=True,
    )
    if comparison.optimum_hit_fraction is not None:
        console.print(
            f"By {kept.granularity}, at most {_percent(comparison.optimum_hit_fraction)} can be "
            "hit (every choice tried).",
            soft_wrap=True,
        )
    if any(result.residency.standin for result in comparison.results):
        console.print(_standin_table(comparison))
    if comparison.margins:
        console.print(_margin_table(comparison))
    _print_locality(console, comparison)


def _order(stream: Stream) -> str:
    match stream.kind:
        case StreamKind.MARKOV:
            return f"markov, persistence {stream.persistence:g}, seed {stream.seed}"
        case StreamKind.CLASS_BURSTS:
            return f"bursts of {stream.burst} of one class, seed {stream.seed}"
        case StreamKind.DATA_SET:
            return "in the data set's order"
        case _:
            return f"{stream.kind}, seed {stream.seed}"


def _percent(fraction: float, digits: int = 2) -> str:
    return f"{100 * fraction:.{digits}f} %"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, title_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    return table


def _residency_table(comparison: StreamComparison) -> Table:
    table = _table(
        "\nWhat is kept, and what that brings (means per inference)",
        *("residency", "hit bytes", "± 95 %", "regret", "latency", "p99", "energy"),
        *("weights read", "cases"),
    )
    for result in comparison.results:
        interval = result.interval("hit_bytes", "weight_bytes")
        table.add_row(
            _name(result),
            _percent(result.hit_fraction),
            _percent(interval.half_width) if interval else "-",
            "-" if result.residency.standin else _percent(comparison.regret(result)),
            quantity(ps_to_s(1) * result.latencies_ps.mean, "s"),
            quantity(ps_to_s(result.latencies_ps.percentile(99)), "s"),
            quantity(pj_to_j(result.mean("energy_pj")), "J"),
            quantity(result.mean("weight_read_bytes"), "B"),
            str(result.cases),
        )
    return table


def _name(result: StreamResult) -> str:
    return result.residency.policy.value + (" + stand-in" if result.residency.standin else "")


def _standin_table(comparison: StreamComparison) -> Table:
    """What running on the high bits alone saves, against the same policy without."""
    table = _table(
        "\nHigh bits on chip stand in for the rest (means per inference)",
        *("residency", "stood in", "bytes done without", "weights read", "latency", "accuracy"),
    )
    for result in comparison.results:
        if result.residency.policy in ONLINE:
            table.add_row(
                _name(result),
                _percent(result.mean("standins"), 1),
                quantity(result.mean("skipped_bytes"), "B"),
                quantity(result.mean("weight_read_bytes"), "B"),
                quantity(ps_to_s(1) * result.latencies_ps.mean, "s"),
                _accuracy(result),
            )
    return table


def _margin_table(comparison: StreamComparison) -> Table:
    """Accuracy against traffic; a star marks what no other row betters in both."""
    table = _table(
        "\nResidency-aware routing: a resident arm within the margin (* Pareto-efficient)",
        *("residency", "margin", "", "accuracy", "weights read", "hit bytes", "latency"),
        "other leaf",
    )
    efficient = comparison.efficient_margins
    for result, best in zip(comparison.margins, efficient, strict=True):
        table.add_row(
            _name(result),
            f"{result.margin:g}",
            "*" if best else "",
            _accuracy(result),
            quantity(result.mean("weight_read_bytes"), "B"),
            _percent(result.hit_fraction, 1),
            quantity(ps_to_s(1) * result.latencies_ps.mean, "s"),
            _percent(result.mean("diverted"), 1),
        )
    return table


def _accuracy(result: StreamResult) -> str:
    return _percent(result.mean("right")) if result.judged else "-"


def _print_locality(console: Console, comparison: StreamComparison) -> None:
    locality = comparison.locality
    runs, reuse = locality.run_lengths, locality.weighted_reuse_bytes
    console.print("\n[bold]How the stream repeats itself[/]")
    console.print(
        f"  a leaf's entropy is {locality.entropy_bits:.3f} bits, "
        f"{locality.conditional_entropy_bits:.3f} once the last leaf is known; runs of one leaf "
        f"last {runs.mean:.2f} inferences (p50 {runs.percentile(50)}, p99 {runs.percentile(99)}, "
        f"longest {runs.percentile(100)})",
        soft_wrap=True,
    )
    console.print(
        f"  weights are needed again after {quantity(reuse.percentile(50), 'B')} of others in the "
        f"median, {quantity(reuse.percentile(90), 'B')} at p90 (by bytes)",
        soft_wrap=True,
    )
    if 1 < len(locality.leaves) <= MOST_LEAVES:
        console.print(_transition_table(locality))


def _transition_table(locality: Locality) -> Table:
    names = ["-".join(map(str, arms)) for arms in locality.leaves]
    table = _table("\nNext leaf, given the last", "last leaf", "share", "", *names)
    for name, share, row in zip(names, locality.shares, locality.transitions, strict=True):
        cells = [_percent(fraction, 1) for fraction in row]
        table.add_row(name, _percent(share, 1), bar(share, 12), *cells)
    return table
