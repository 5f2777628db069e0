"""Effective DRAM bandwidth of access patterns against three cycle-level simulators, 754 runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from simulator.cost.banked_dram import BankedDram
from simulator.cost.dram_energy import DramEnergyTable
from simulator.cost.dram_presets import DramDevice
from simulator.units import PS_PER_S
from simulator.validate.dram_simulators import MEMORIES, controller_of
from simulator.validate.dram_streams import stream
from simulator.validate.reference import reference_rows

DATA = "dram_patterns.csv"
NO_ENERGY = DramEnergyTable(0, 0, 0, 0, 0)
OUTLIER_FRACTION = 0.10


@dataclass(frozen=True)
class PatternRun:
    """One run of a simulator, what the model predicts for it, as fractions of the peak rate."""

    preset: str
    name: str
    pattern: str
    mapping: str
    reference_fraction: float
    predicted_fraction: float

    @property
    def error_fraction(self) -> float:
        """Signed error of the prediction, of the reference."""
        return self.predicted_fraction / self.reference_fraction - 1


@dataclass(frozen=True)
class PresetErrors:
    """Absolute errors over all runs of one preset."""

    preset: str
    runs: int
    median_fraction: float
    ninth_decile_fraction: float
    largest_fraction: float


@dataclass(frozen=True)
class PatternComparison:
    """All runs, the errors by preset, and the runs that are off by more than a tenth."""

    runs: tuple[PatternRun, ...]
    presets: tuple[PresetErrors, ...]
    outliers: tuple[PatternRun, ...]


def compare_patterns(lines: Sequence[Mapping[str, str]] | None = None) -> PatternComparison:
    """Predict every run of the shipped table (or of the lines given)."""
    runs = tuple(_predict(line) for line in lines or reference_rows(DATA))
    presets = sorted({run.preset for run in runs})
    return PatternComparison(
        runs=runs,
        presets=tuple(_errors(p, [run for run in runs if run.preset == p]) for p in presets),
        outliers=tuple(run for run in runs if abs(run.error_fraction) > OUTLIER_FRACTION),
    )


def _errors(preset: str, runs: Sequence[PatternRun]) -> PresetErrors:
    errors = sorted(abs(run.error_fraction) for run in runs)
    return PresetErrors(
        preset=preset,
        runs=len(errors),
        median_fraction=median(errors),
        ninth_decile_fraction=errors[-(-9 * len(errors) // 10) - 1],
        largest_fraction=errors[-1],
    )


def _predict(line: Mapping[str, str]) -> PatternRun:
    preset = line["preset"].partition(" (")[0]
    memory = MEMORIES[preset]
    organisation, timing = memory.organisation, memory.timing
    if line["refresh"] == "off":
        timing = timing.without_refresh()
    lines_in_flight = int(float(line["max_outstanding_64B_reads"] or 0))
    in_flight = lines_in_flight * 64 // organisation.burst_bytes
    dram = BankedDram(
        DramDevice(organisation, timing, NO_ENERGY),
        controller_of(line["simulator"], line["mapping"], memory, in_flight),
    )
    transfers = stream(line, organisation)
    moved_bytes = sum(transfer.n_bytes * transfer.pieces for transfer in transfers)
    service = dram.service(transfers)
    rate = moved_bytes * PS_PER_S / dram.average_duration_ps(service)
    fraction = rate / (float(line["peak_GBps"]) * 1e9)
    if line["injected_fraction_of_peak"]:
        fraction = min(fraction, float(line["injected_fraction_of_peak"]))
    return PatternRun(
        preset=preset,
        name=_name(line),
        pattern=line["pattern"],
        mapping=line["mapping"],
        reference_fraction=float(line["fraction_of_peak"]),
        predicted_fraction=fraction,
    )


def _name(line: Mapping[str, str]) -> str:
    """What sets the run apart from the others of its preset."""
    words = [line["mapping"], line["pattern"], line["rw"]]
    for column, unit in (
        ("block_bytes", "B"),
        ("stride_bytes", "B apart"),
        ("granule_bytes", "B each"),
        ("max_outstanding_64B_reads", "in flight"),
        ("injected_fraction_of_peak", "offered"),
    ):
        if line[column]:
            words.append(f"{float(line[column]):g} {unit}")
    if line["refresh"] == "off":
        words.append("without refresh")
    if line["scheduler"] == "FRFCFS":
        words.append("plain FRFCFS")
    return ", ".join(words)
