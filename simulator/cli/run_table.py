"""The result of `run` as tables a person can read."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from simulator.cli.format import bar, kib, make_console, percent, quantity
from simulator.cli.speculation_table import speculation_rows
from simulator.cost.energy_table import energy_constants
from simulator.result import InferenceResult, LayerResult, StallKind
from simulator.result_file import summarise
from simulator.segment_use import SegmentUse, segment_use
from simulator.simulation import RunResult
from simulator.units import ps_to_s

WIDE = 110
LEFT_OUT = "operand-level zero skipping, layout changes between layers, the host"
LEFT_OUT_OF_DEVICE = "DRAM rows kept open from one transfer to the next, "
LEFT_OUT_OF_RATE = "DRAM rows, banks and refresh (one sequential efficiency instead), "


def print_run(run: RunResult, spec_origin: str, n_layers: int) -> None:
    """Print what a run cost, where the time went and what the numbers assume."""
    console = make_console()
    summary = summarise(run)
    drawn = f", seed {run.seed}" if run.seed is not None else ", routes from a file"
    console.print(f"[bold]{run.workload.name}[/] on [bold]{run.spec.name}[/]: {spec_origin}")
    state = (
        "scratchpad that holds the pinned weights"
        if run.compiled.pinned.groups
        else ("cold scratchpad")
    )
    console.print(
        f"policy {run.choice.text}, {len(run.routes)} inferences{drawn}, batch 1, each from a "
        f"{state}; means per inference",
        soft_wrap=True,
    )
    console.print(_totals(run, summary))
    console.print(_time_table(run, summary))
    console.print(_segment_table(run.typical))
    if n_layers > 0:
        console.print(_layer_table(run.typical, n_layers, wide=console.width >= WIDE))
    _print_assumptions(console, run)


def _plain_table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, title_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    return table


def _totals(run: RunResult, summary: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column()
    latency, energy = summary["latency_s"], summary["energy_j"]
    tail = ", ".join(f"{name} {quantity(latency[name], 's')}" for name in ("p50", "p99", "max"))
    table.add_row("latency", f"[bold]{quantity(latency['mean'], 's')}[/]  ({tail})")
    parts = ", ".join(
        f"{name} {percent(energy[name], energy['total'])}"
        for name in ("dram", "mac", "scratchpad", "static", "vector")
    )
    table.add_row("energy", f"[bold]{quantity(energy['total'], 'J')}[/]  ({parts})")
    table.add_row(
        "DRAM traffic",
        f"[bold]{quantity(summary['dram_read_bytes'], 'B')}[/] read "
        f"({quantity(summary['weight_read_bytes'], 'B')} of it weights), "
        f"{quantity(summary['dram_write_bytes'], 'B')} written",
    )
    if summary["dram_row_hit_fraction"] is not None:
        table.add_row("DRAM commands", _dram_commands(summary))
        table.add_row("weights in DRAM", _weights_in_dram(summary["weights_in_dram"]))
    table.add_row(
        "PE utilisation",
        f"{100 * summary['pe_utilization_fraction']:.1f} % of {run.spec.pe_array.pes} PEs, "
        f"{quantity(summary['macs'], 'MAC')}",
    )
    table.add_row(
        "parameters",
        f"{summary['params_active'] / 1e6:.3f} M active of {summary['params_total'] / 1e6:.3f} M",
    )
    for name, text in speculation_rows(summary):
        table.add_row(name, text)
    pinned = run.compiled.pinned.n_bytes
    capacity = run.spec.scratchpad.capacity_bytes
    table.add_row(
        "scratchpad",
        f"{kib(summary['scratchpad_peak_bytes'])} of {kib(capacity)} used at the peak"
        + (f", {kib(pinned)} of it pinned weights" if pinned else ""),
    )
    return table


def _dram_commands(summary: dict[str, Any]) -> str:
    energy = summary["dram_energy_j"]
    parts = ", ".join(
        f"{name} {percent(joules, summary['energy_j']['dram'])}"
        for name, joules in energy.items()
        if joules
    )
    return (
        f"{100 * summary['dram_row_hit_fraction']:.1f} % row hits, "
        f"{quantity(summary['dram_activates'], '')} activates, "
        f"{quantity(summary['dram_refreshes'], '')} refreshes  ({parts} of its energy)"
    )


def _weights_in_dram(stored: dict[str, Any]) -> str:
    copies = stored["stored_bytes"] - stored["weight_bytes"]
    return (
        f"{stored['layout']}, layers on {stored['alignment']}s: "
        f"{quantity(stored['stored_bytes'], 'B')} stored"
        + (f" ({quantity(copies, 'B')} of it copies)" if copies else "")
        + f", {quantity(stored['padding_bytes'], 'B')} padding"
    )


def _time_table(run: RunResult, summary: dict[str, Any]) -> Table:
    table = _plain_table("\nWhere the time went", "", "time", "share")
    table.add_column("")
    total = summary["latency_s"]["mean"]
    stalls = summary["stalls_s"]
    rows = [("compute", total - sum(stalls.values()))]
    rows += [(kind.value.replace("_", " "), stalls[kind.value]) for kind in StallKind]
    for name, seconds in rows:
        if seconds or name == "compute":
            share = seconds / total
            table.add_row(name, quantity(seconds, "s"), percent(seconds, total), bar(share))
    return table


def _dram_bytes(layer: LayerResult) -> int:
    return layer.counts.dram_read_bytes + layer.counts.dram_write_bytes


def _segment_table(result: InferenceResult) -> Table:
    title = f"\nSegments on route {list(result.arms)}" if result.arms else "\nSegments"
    table = _plain_table(title, "segment", "time", "share", "compute", "stalled", "DRAM", "MACs")
    use = segment_use(result.layers)
    shows_rows = any(each.activates for each in use.values())
    if shows_rows:
        for name in ("row hits", "burst use"):
            table.add_column(name, justify="right", no_wrap=True)
    segments: dict[str, list[LayerResult]] = {}
    for layer in result.layers:
        segments.setdefault(layer.segment, []).append(layer)
    for name, layers in segments.items():
        duration = sum(layer.end_ps - layer.start_ps for layer in layers)
        compute = sum(layer.compute_ps for layer in layers)
        table.add_row(
            name,
            quantity(ps_to_s(duration), "s"),
            percent(duration, result.latency_ps),
            quantity(ps_to_s(compute), "s"),
            quantity(ps_to_s(duration - compute), "s"),
            quantity(sum(_dram_bytes(layer) for layer in layers), "B"),
            quantity(sum(layer.counts.macs for layer in layers), ""),
            *(_row_cells(use[name]) if shows_rows else ()),
        )
    return table


def _row_cells(use: SegmentUse) -> tuple[str, str]:
    fractions = (use.row_hit_fraction, use.burst_efficiency_fraction)
    hits, used = ("-" if f is None else f"{100 * f:.1f} %" for f in fractions)
    return hits, used


def _layer_table(result: InferenceResult, n_layers: int, wide: bool) -> Table:
    slowest = sorted(result.layers, key=lambda layer: layer.start_ps - layer.end_ps)[:n_layers]
    columns = ["layer", "time", "compute", "main stall", "bound", "DRAM", "tiling"]
    shown = columns if wide else columns[:-2]
    table = _plain_table(f"\nThe {len(slowest)} slowest of {len(result.layers)} layers", *shown)
    for layer in slowest:
        kind, stalled = max(layer.stalls_ps.items(), key=lambda item: item[1])
        waited = f"{kind.value.replace('_', ' ')} {quantity(ps_to_s(stalled), 's', 3)}"
        cells = (
            layer.name,
            quantity(ps_to_s(layer.end_ps - layer.start_ps), "s", 3),
            quantity(ps_to_s(layer.compute_ps), "s", 3),
            waited if stalled else "-",
            layer.bound.value.replace("_", " "),
            quantity(_dram_bytes(layer), "B", 3),
            layer.tiling,
        )
        table.add_row(*cells[: len(shown)])
    return table


def _print_assumptions(console: Console, run: RunResult) -> None:
    assumed = run.spec.assumed_fields()
    numbers = run.spec.numbers()
    console.print("\n[bold]What the numbers assume[/]")
    console.print(f"  leaf shares: {run.workload.leaf_shares_source}", soft_wrap=True)
    if assumed:
        shown = ", ".join(f"{field} {numbers[field]}" for field in assumed)
        console.print(f"  assumed in the spec ({len(assumed)} of {len(numbers)}): {shown}")
    constants = ", ".join(
        f"{name} {constant.value:.3g} ({constant.source.split(':')[0]})"
        for name, constant in energy_constants(run.spec).items()
    )
    console.print(f"  energy constants (mark of the source, see result.json): {constants}")
    memory = LEFT_OUT_OF_RATE if run.spec.dram.device is None else LEFT_OUT_OF_DEVICE
    console.print(f"  left out: {memory}{LEFT_OUT}")
    console.print(f"  simulated in {run.typical.event_count} events")
