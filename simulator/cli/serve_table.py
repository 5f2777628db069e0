"""The results of `serve` as tables a person can read."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from simulator.cli.format import kib, make_console, percent, quantity
from simulator.serving.capacity import Target
from simulator.serving.npu import Sharing
from simulator.serving.scheduling import Scheduling
from simulator.serving.summary import CORRELATED, FEW_BEYOND, QUANTILES
from simulator.serving.system import ServingResult

_COLUMNS = ("mean", *QUANTILES, "max")
SATURATED = "SATURATED"


def print_serving(data: dict[str, Any], result: ServingResult) -> None:
    """Print what one run's requests experienced."""
    console = make_console()
    summary, provenance = data["summary"], data["provenance"]
    spec = provenance["spec"]["name"]
    console.print(f"[bold]{summary['system']}[/] on [bold]{spec}[/]: {provenance['spec_origin']}")
    console.print(_setting(summary, provenance["settings"]), soft_wrap=True)
    if summary["saturated"]:
        console.print(_saturation(summary), soft_wrap=True)
    console.print(_totals(summary, result))
    console.print(_times(summary))
    if summary["groups"]:
        console.print(_groups(summary))
    _print_notes(console, summary, result)


def rate(rate_hz: float) -> str:
    """Requests per second: four digits, more where they are whole."""
    return f"{rate_hz:,.0f}" if rate_hz >= 1000 else f"{rate_hz:.4g}"


def _setting(summary: dict[str, Any], settings: dict[str, Any]) -> str:
    parts = [", ".join(summary["arrivals"]), f"scheduling {summary['scheduling']}"]
    if settings["deadline"]:
        parts.append(f"deadline {settings['deadline']}")
    parts.append(f"{summary['requests']:,} requests, seed {settings['seed']}")
    if summary["counted"] < summary["requests"]:
        parts.append(f"the first {settings['skip']:,} not counted")
    return f"{'; '.join(parts)}\n{_regime(settings, summary)}"


def _regime(settings: dict[str, Any], summary: dict[str, Any]) -> str:
    """What is fetched when, what stays on chip, and in which order inputs come."""
    kept = f"policy {summary['policy']}, placement {settings['placement']}"
    if any(summary["region_bytes"]):
        sizes = " and ".join(kib(size) for size in summary["region_bytes"])
        kept = (
            f"policy {summary['policy']}, residency {settings['residency']} of "
            f"{settings['granularity']}s in {sizes}, scope {settings['scope']}"
        )
    return "\n".join([kept, *(f"inputs {order}" for order in summary["orders"])])


def _saturation(summary: dict[str, Any]) -> str:
    return (
        f"[bold]{SATURATED}[/]: work arrives {summary['offered_load_fraction']:.3f} times as fast "
        "as it is done. The line grows as long as requests come "
        f"({summary['left_at_last_arrival']:,} were left when the last arrived); the times below "
        "are those of a run of this length, and of no steady state."
    )


def _totals(summary: dict[str, Any], result: ServingResult) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column()
    offered = summary["offered_load_fraction"]
    load = f"offered load {100 * offered:.1f} %, " if offered is not None else ""
    table.add_row(
        "NPU",
        f"{load}busy {100 * summary['utilisation_fraction']:.1f} % of the time, "
        f"[bold]{rate(summary['throughput_hz'])}[/] requests/s served",
    )
    table.add_row(
        "line",
        f"{summary['waiting_mean']:.3g} waiting on average, {summary['waiting_max']:,} at most",
    )
    idle = summary["energy_per_request_j"] - summary["inference_energy_j"]
    table.add_row(
        "energy",
        f"[bold]{quantity(summary['energy_per_request_j'], 'J')}[/] per request, "
        f"{quantity(idle, 'J')} of it static while idle",
    )
    hits = summary["hit_bytes"]
    wanted = hits + summary["weight_read_bytes"]
    found = f", {percent(hits, wanted)} of the bytes found on chip" if hits else ""
    table.add_row(
        "weights", f"{quantity(summary['weight_read_bytes'], 'B')} read per request{found}"
    )
    if any(summary["deadlines_s"]):
        table.add_row("deadlines", _deadlines(summary))
    against = summary["against_fifo"]
    if against is not None:
        table.add_row(
            "against fifo",
            f"which misses {against['fifo_missed']:,}: {against['newly_met']:,} of these are met, "
            f"but {against['newly_missed']:,} that it meets are missed",
        )
    return table


def _deadlines(summary: dict[str, Any]) -> str:
    found = summary["all"]
    missed, requests = found["missed"], found["requests"]
    text = f"{missed:,} of {requests:,} missed, {percent(missed, requests)}"
    if found["missed_interval"]:
        low, high = (f"{100 * end:.3g}" for end in found["missed_interval"])
        text += f" ({low} to {high} %)"
    return text


def _plain(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, title_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    return table


def _times(summary: dict[str, Any]) -> Table:
    level = f"{100 * summary['interval_level_fraction']:.0f} %"
    table = _plain("\nTimes", "", *_COLUMNS)
    for name in ("response", "queueing", "service"):
        times = summary["all"][f"{name}_s"]
        table.add_row(name, *(quantity(times[column], "s") for column in _COLUMNS))
        intervals = times["intervals"]
        if intervals and name != "service":
            cells = (_interval(intervals.get(column)) for column in _COLUMNS)
            table.add_row(f"  {level} interval", *cells)
    return table


def _interval(ends: list[float] | None) -> str:
    """Both ends in milliseconds, the unit once."""
    if ends is None:
        return ""
    low, high = ends
    scale, unit = next(
        ((s, u) for s, u in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")) if high >= s), (1e-9, "ns")
    )
    return f"{low / scale:.3g}–{high / scale:.3g} {unit}"


def _groups(summary: dict[str, Any]) -> Table:
    due = any(group["missed"] for group in summary["groups"])
    table = _plain(
        "\nResponse by group",
        *("group", "requests", "service", *_COLUMNS),
        *(("missed",) if due else ()),
    )
    for group in summary["groups"]:
        times = group["response_s"]
        cells = [group["group"], f"{group['requests']:,}"]
        cells.append(quantity(group["service_s"]["mean"], "s", 3))
        cells += [quantity(times[column], "s", 3) for column in _COLUMNS]
        if due:
            cells.append(percent(group["missed"], group["requests"]))
        table.add_row(*cells)
    return table


def _print_notes(console: Console, summary: dict[str, Any], result: ServingResult) -> None:
    console.print("\n[bold]How to read it[/]")
    for note in _notes(summary, result):
        console.print(f"  {note}", soft_wrap=True)


def _notes(summary: dict[str, Any], result: ServingResult) -> list[str]:
    notes = []
    system = result.system
    if len(system.traffic.networks) > 1:
        switches = f"{summary['network_switches']:,} inferences followed one of another network"
        notes.append(
            f"each network keeps its weights in a region of its own; {switches}"
            if system.sharing is Sharing.PARTITION
            else f"one network at a time has the scratchpad; {switches}, which leaves none of "
            "their weights on chip"
        )
    if system.scheduling is Scheduling.LEAF_BATCHED:
        accuracy = system.traffic.accuracy_fraction
        known = (
            "leaves are known at arrival, by an oracle: an upper bound on what batching gains"
            if accuracy >= 1
            else f"leaves are predicted at arrival, {100 * accuracy:g} % of them right, at no cost"
        )
        notes.append(f"{known}; {summary['overtakings']:,} requests overtook more urgent ones")
    expected = summary["pollaczek_khinchine_queueing_s"]
    if expected is not None:
        notes.append(
            f"queueing theory (Pollaczek-Khinchine) expects a mean queueing of "
            f"{quantity(expected, 's')} in the steady state"
        )
    if summary["saturated"]:
        notes.append("no intervals: there is no steady state to estimate")
    elif summary["all"]["response_s"]["intervals"] is None:
        notes.append(f"{summary['blocks']} blocks of requests are too few for intervals")
    else:
        notes.append(
            f"intervals: bootstrap over {summary['blocks']} blocks of "
            f"{summary['block_requests']:,} consecutive requests, for waits of neighbours are "
            "alike; none for a maximum"
        )
        correlation = summary["block_correlation"]
        if correlation is not None and correlation > CORRELATED:
            notes.append(
                f"waits of neighbouring blocks correlate by {correlation:.2f}: the intervals are "
                "too narrow, simulate more requests"
            )
    beyond = [
        name for name, q in QUANTILES.items() if summary["counted"] * (1 - q) < FEW_BEYOND - 1e-6
    ]
    if beyond:
        notes.append(f"fewer than {FEW_BEYOND} requests lie beyond {', '.join(beyond)}")
    error = summary["percentile_error_fraction"]
    if error:
        notes.append(
            f"percentiles are rounded up by less than {100 * error:.2g} %, means are exact"
        )
    return notes


def print_loads(data: dict[str, Any], target: Target | None) -> None:
    """Print response times over the rate, and what each system sustains."""
    console = make_console()
    provenance = data["provenance"]
    settings = provenance["settings"]
    kept = f"placement {settings['placement']}"
    if settings["residency"] != "none":
        kept = f"residency {settings['residency']}, region {settings['region']}"
    console.print(f"[bold]{provenance['spec']['name']}[/]: {provenance['spec_origin']}")
    deadline = f", deadline {settings['deadline']}" if settings["deadline"] else ""
    console.print(
        f"{settings['arrivals']} arrivals, scheduling {settings['scheduling']}{deadline}, seed "
        f"{settings['seed']}; policy {settings['policy']}, {kept}",
        soft_wrap=True,
    )
    for system in data["systems"]:
        title = f"\n{system['system']}: {rate(system['saturation_hz'])} requests/s back to back"
        if system["points"]:
            console.print(_loads(system, title, bool(settings["deadline"])))
        else:
            console.print(f"[bold]{title}[/]")
    if target:
        console.print(f"\n[bold]Sustained at {target.text}[/]")
        for system in data["systems"]:
            console.print(_sustained(system), soft_wrap=True)


def _loads(system: dict[str, Any], title: str, due: bool) -> Table:
    names = ("p50", "p90", "p99", "p99.9")
    table = _plain(
        title, "load", "rate", "mean", *names, "p99, 95 %", *(("missed",) if due else ())
    )
    table.add_column("")
    for point in system["points"]:
        times = point["all"]["response_s"]
        intervals = times["intervals"]
        correlation = point["block_correlation"] or 0.0
        note = "interval too narrow" if correlation > CORRELATED else ""
        cells = [f"{100 * point['load_fraction']:.1f} %", f"{rate(point['rate_hz'])}/s"]
        cells += [quantity(times[name], "s", 3) for name in ("mean", *names)]
        cells.append(_interval(intervals["p99"]) if intervals else "-")
        if due:
            cells.append(percent(point["all"]["missed"], point["all"]["requests"]))
        table.add_row(*cells, SATURATED if point["saturated"] else note)
    return table


def _sustained(system: dict[str, Any]) -> str:
    capacity = system["capacity"]
    met, missed, name = capacity["met"], capacity["missed"], system["system"]
    if met is None:
        return (
            f"  {name}: no rate: {_statistic(capacity, missed)} even at "
            f"{rate(missed['rate_hz'])} requests/s"
        )
    every = quantity(1 / met["rate_hz"], "s")
    text = (
        f"  {name}: [bold]{rate(met['rate_hz'])}[/] requests/s (one every {every}, load "
        f"{100 * met['load_fraction']:.1f} %): {_statistic(capacity, met)}"
    )
    if missed is None:
        return f"{text}; met up to saturation, in a run of this length"
    text += f"; not at {rate(missed['rate_hz'])}/s: {_statistic(capacity, missed)}"
    return text if capacity["monotone"] else f"{text}; not monotone, other rates may do"


def _statistic(capacity: dict[str, Any], found: dict[str, Any]) -> str:
    name, interval = capacity["statistic"], found["interval"]
    if name == "missed":
        text = f"{100 * found['value']:.3g} % missed"
        return f"{text} ({100 * interval[0]:.3g}–{100 * interval[1]:.3g} %)" if interval else text
    text = f"{name} {quantity(found['value'], 's')}"
    return f"{text} ({_interval(interval)})" if interval else text
