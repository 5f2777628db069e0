"""The accuracy study in numbers: mean and spread over the seeds, differences seed by seed."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

DENSE = "dense"
CONTINUED = "dense_continued"
DEFAULT = "default"


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation over the seeds (0 for a single one)."""

    mean: float
    deviation: float

    @property
    def clear(self) -> bool:
        """Whether a difference is larger than its own spread over the seeds."""
        return abs(self.mean) > self.deviation


@dataclass(frozen=True)
class VariantSummary:
    """One variant over all seeds.

    Attributes:
        name: as in the results.
        label: for people.
        runs: its runs, in the order of the seeds.
        top1_percent: hard top-1.
        top5_percent: hard top-5.
        against_dense: top-1 minus dense's of the same seed, in percentage points.
        against_continued: the same against the dense network trained on as long.
        balance: of the use of the leaves; None for dense networks.
    """

    name: str
    label: str
    runs: tuple[dict[str, Any], ...]
    top1_percent: Spread
    top5_percent: Spread
    against_dense: Spread
    against_continued: Spread
    balance: Spread | None

    @property
    def is_tree(self) -> bool:
        """Whether this is a tree and not a dense network."""
        return self.balance is not None


def spread(values: list[float]) -> Spread:
    """Mean and sample standard deviation."""
    return Spread(fmean(values), stdev(values) if len(values) > 1 else 0.0)


def summarise_study(results: dict[str, Any]) -> dict[str, VariantSummary]:
    """All variants by name, in the study's order."""
    by_variant: dict[str, list[dict[str, Any]]] = {name: [] for name in results["labels"]}
    for run in results["runs"]:
        by_variant[run["variant"]].append(run)
    top1 = {name: _percent(runs, "top1_fraction") for name, runs in by_variant.items()}
    found = {}
    for name, runs in by_variant.items():
        balances = [run["balance_fraction"] for run in runs if "balance_fraction" in run]
        found[name] = VariantSummary(
            name=name,
            label=results["labels"][name],
            runs=tuple(runs),
            top1_percent=spread(top1[name]),
            top5_percent=spread(_percent(runs, "top5_fraction")),
            against_dense=difference(top1[name], top1[DENSE]),
            against_continued=difference(top1[name], top1[CONTINUED]),
            balance=spread(balances) if balances else None,
        )
    return found


def difference(values: list[float], base: list[float]) -> Spread:
    """Seed by seed, then mean and spread: what the seeds have in common cancels."""
    return spread([value - other for value, other in zip(values, base, strict=True)])


def _percent(runs: list[dict[str, Any]], key: str) -> list[float]:
    return [100 * run[key] for run in runs]
