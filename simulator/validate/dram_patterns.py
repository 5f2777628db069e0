"""Effective DRAM bandwidth of access patterns against three cycle-level simulators, 754 runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median

from simulator.cost.banked_dram import BankedDram
from simulator.cost.dram_energy import DramEnergyTable
from simulator.cost.dram_presets import DramDevice
from simulator.units import PS_PER_S
from simulator.validate.case import Band, Case, Row, SpecLoader
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


@cache
def compare_patterns() -> PatternComparison:
    """Predict every run of the shipped table."""
    runs = tuple(_predict(line) for line in reference_rows(DATA))
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


DRAIN, SYNC, ROUND_ROBIN, WINDOW = "write drain", "WCK", "bank queues", "window"
MECHANISMS = {
    ("DDR4_8Gb_x8 + DDR4_2400R", "read_write_blocks_same_bank"): DRAIN,
    ("DDR4_8Gb_x8 + DDR4_2400R", "two_streams_same_bank"): WINDOW,
    ("DDR4_8Gb_x16 + DDR4_2400R", "two_streams_same_bank"): WINDOW,
    ("LPDDR5_8Gb_x16 + LPDDR5_6400", "strided"): SYNC,
    ("LPDDR5_8Gb_x16 + LPDDR5_6400", "random_blocks"): SYNC,
    ("DDR4_8Gb_x16_2400", "random_blocks"): ROUND_ROBIN,
    ("DDR4_8Gb_x16_2400", "two_streams_same_bank"): ROUND_ROBIN,
}
"""What explains the runs of a preset and pattern that are off by more than a tenth."""


def band_of(run: PatternRun) -> str:
    """The band a run must stay in: a tenth, unless a mechanism that is left out explains more."""
    if abs(run.error_fraction) <= OUTLIER_FRACTION:
        return "run"
    return MECHANISMS.get((run.preset, run.pattern), "run")


def _rows(load: SpecLoader) -> tuple[Row, ...]:
    del load  # no shipped device takes part
    comparison = compare_patterns()
    rows = [
        Row(
            name=f"{run.preset}: {run.name}",
            quantity="share of peak",
            unit="",
            reference=run.reference_fraction,
            predicted=run.predicted_fraction,
            band=band_of(run),
        )
        for run in comparison.runs
    ]
    for preset in comparison.presets:
        for band, error in (
            ("median", preset.median_fraction),
            ("ninth decile", preset.ninth_decile_fraction),
        ):
            rows.append(
                Row(
                    name=f"{preset.preset}: {preset.runs} runs",
                    quantity=f"1 + {band} of the errors",
                    unit="",
                    reference=1.0,
                    predicted=1.0 + error,
                    band=band,
                )
            )
    return tuple(rows)


CASE = Case(
    name="dram_patterns",
    title="effective DRAM bandwidth by access pattern, mapping and reads in flight",
    device="none: the memories of three cycle-level simulators, with each tool's own timings",
    source="Ramulator 1 and 2.1, DRAMsim3: simulator/validate/data/dram_patterns.md",
    fitted=(
        "2 clocks of request turnaround for DRAMsim3, on the LPDDR3 runs with one read in flight; "
        "its window is one bank queue beyond its 32 transactions, which its DDR3 runs prefer to a "
        "wider one; all else is the tools' own timings and queue sizes. The rules were shaped with "
        "all runs in view: no run is unseen"
    ),
    leaves_out=(
        "refresh inside a row, per-bank refresh, several ranks, power-down",
        "LPDDR5's WCK synchronisation and the spacing of its two activate commands",
        "DRAMsim3's round robin over bank queues: the model serves what can start first",
        "writes that merge with or forward to others in the queue",
    ),
    bands=(
        Band("run", OUTLIER_FRACTION, "the simulators differ by 5 to 8 % at the ninth decile"),
        Band("median", 0.05, "the simulators differ among themselves by 2 to 3 % in the median"),
        Band("ninth decile", 0.10, "the simulators differ by 5 to 8 % at the ninth decile"),
        Band(
            DRAIN,
            0.25,
            "reads and writes of one bank with its row open in four bank groups: the simulator "
            "reopens rows one and a half times as often while draining writes",
        ),
        Band(
            WINDOW,
            0.25,
            "two rows of one bank spread over bank groups: how long hits keep the other row "
            "waiting depends on how the queue refills, burst by burst",
        ),
        Band(
            SYNC,
            0.25,
            "few banks in turn, or four activates per KiB: WCK synchronisation and two-command "
            "activates take clocks of the command bus and lengthen the row cycle",
        ),
        Band(
            ROUND_ROBIN,
            0.25,
            "blocks over all banks: round robin over eight-deep bank queues meets the same bank "
            "group twice running (tCCD_L) and opens rows in another order",
        ),
    ),
    rows=_rows,
)
