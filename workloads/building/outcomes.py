"""A tree's answers on every path as the file the simulator reads."""

from __future__ import annotations

from simulator.ir import Workload, leaf_routes
from simulator.outcomes_file import InputOutcome, Outcomes, branch_places
from workloads.data.dataset import Dataset
from workloads.sigma_branch.all_paths import AllPaths, evaluate_all_paths
from workloads.sigma_branch.evaluate import PROBABILITY_DIGITS
from workloads.sigma_branch.tree import SigmaBTree
from workloads.training.compute import Compute


def tree_outcomes(
    tree: SigmaBTree,
    workload: Workload,
    dataset: Dataset,
    compute: Compute | None = None,
    variant: str = "",
) -> Outcomes:
    """Evaluate all paths of a tree on the test set.

    Args:
        tree: what the workload was traced from.
        workload: names the branches and leaves.
        dataset: its test set is evaluated.
        compute: device and precision.
        variant: what is unusual about the tree's arithmetic, for people.
    """
    return outcomes_of(evaluate_all_paths(tree, dataset.test, compute), workload, dataset, variant)


def outcomes_of(
    paths: AllPaths, workload: Workload, dataset: Dataset, variant: str = ""
) -> Outcomes:
    """What a tree said on all paths of every test input, as the file holds it."""
    places = branch_places(workload.program)
    said = [_probabilities(paths, name=place.name) for place in places]
    columns = (dataset.test.targets.tolist(), paths.leaf.tolist(), paths.predictions.tolist())
    inputs = tuple(
        InputOutcome(
            label=label,
            leaf=leaf,
            probabilities=tuple(table[index] for table in said),
            predictions=tuple(guesses),
        )
        for index, (label, leaf, guesses) in enumerate(zip(*columns, strict=True))
    )
    return Outcomes(
        workload=workload.name,
        source=f"the {len(inputs)} test inputs of {dataset.name}{variant and f'; {variant}'}",
        branches=places,
        leaves=tuple(leaf_routes(workload.program)),
        inputs=inputs,
    )


def _probabilities(paths: AllPaths, name: str) -> list[tuple[float, ...]]:
    """Per input, what the router of `branch{level}.{node}` says."""
    level, node = name.removeprefix("branch").split(".")
    table = paths.probabilities[int(level) - 1, int(node)].tolist()
    return [tuple(round(value, PROBABILITY_DIGITS) for value in row) for row in table]
