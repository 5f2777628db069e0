"""The result of `compare` as a table with bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.table import Table

from simulator.cli.format import bar, make_console, quantity
from simulator.comparison import compare_summaries
from simulator.result_file import summarise
from simulator.simulation import RunResult

_ROWS: tuple[tuple[str, str, Callable[[dict[str, Any]], float]], ...] = (
    ("latency, mean", "s", lambda s: s["latency_s"]["mean"]),
    ("latency, p99", "s", lambda s: s["latency_s"]["p99"]),
    ("energy", "J", lambda s: s["energy_j"]["total"]),
    ("  of it DRAM", "J", lambda s: s["energy_j"]["dram"]),
    ("DRAM traffic", "B", lambda s: s["dram_read_bytes"] + s["dram_write_bytes"]),
    ("  of it weights", "B", lambda s: s["weight_read_bytes"]),
    ("MACs", "", lambda s: s["macs"]),
    ("active parameters", "", lambda s: s["params_active"]),
    ("stored parameters", "", lambda s: s["params_total"]),
    ("stalled", "s", lambda s: sum(s["stalls_s"].values())),
    ("PE utilisation", "", lambda s: s["pe_utilization_fraction"]),
)


def print_comparison(runs: list[RunResult], spec_origin: str) -> None:
    """Print every figure of every workload, its change against the first, and the verdict."""
    console = make_console()
    first = runs[0]
    console.print(f"[bold]{first.spec.name}[/]: {spec_origin}")
    console.print(
        f"policy {first.policy}, {len(first.routes)} inferences each, batch 1; "
        f"change against {first.workload.name}",
        soft_wrap=True,
    )
    summaries = [summarise(run) for run in runs]
    console.print(_figures(summaries))
    console.print(_bars(summaries))
    for summary in summaries[1:]:
        console.print(_verdict(summaries[0], summary), soft_wrap=True)


def _figures(summaries: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("\nper inference", no_wrap=True)
    for index, summary in enumerate(summaries):
        table.add_column(f"\n{summary['workload']}", justify="right")
        if index:
            table.add_column("\nchange", justify="right")
    for name, unit, value in _ROWS:
        cells = [name]
        base = value(summaries[0])
        for index, summary in enumerate(summaries):
            cells.append(
                quantity(value(summary), unit)
                if unit or value(summary) > 1
                else f"{100 * value(summary):.1f} %"
            )
            if index:
                cells.append(f"{100 * (value(summary) / base - 1):+.1f} %" if base else "-")
        table.add_row(*cells)
    return table


def _bars(summaries: list[dict[str, Any]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, unit, value in (_ROWS[0], _ROWS[2], _ROWS[4]):
        longest = max(value(summary) for summary in summaries)
        table.add_row(f"\n{name}")
        for summary in summaries:
            amount = value(summary)
            table.add_row(
                f"  {summary['workload']}", bar(amount / longest, 40), quantity(amount, unit)
            )
    return table


def _verdict(baseline: dict[str, Any], summary: dict[str, Any]) -> str:
    saved = compare_summaries(baseline, summary)
    text = (
        f"\n[bold]{summary['workload']}[/] has "
        f"{100 * saved.params_active_reduction_fraction:.1f} % fewer active parameters than "
        f"{baseline['workload']}"
    )
    if saved.arrived_as_latency_fraction is None or saved.arrived_as_energy_fraction is None:
        return f"{text}: there is no analytic saving to deliver."
    return (
        f"{text}. Of that saving, {100 * saved.arrived_as_latency_fraction:.0f} % arrived as "
        f"latency (-{100 * saved.latency_reduction_fraction:.1f} %) and "
        f"{100 * saved.arrived_as_energy_fraction:.0f} % as energy "
        f"(-{100 * saved.energy_reduction_fraction:.1f} %)."
    )
