"""The page of the accuracy study: tables like III and VI of arXiv 2606.09924, and verdicts."""

from __future__ import annotations

from typing import Any

from reports.studies.accuracy_summary import (
    CONTINUED,
    DEFAULT,
    DENSE,
    Spread,
    VariantSummary,
    difference,
)

LEAST_CUT_PERCENT = 58.0
MOST_LOSS_POINTS = 1.72
LEAST_BALANCE = 0.9
PAPER = {
    "default": (74.82, 0.965),
    "random_partition": (73.95, 0.504),
    "no_responsibility": (73.34, 0.491),
}
"""Top-1 in percent and balance on ImageNet-1K (arXiv 2606.09924, table VI)."""
ABLATIONS = tuple(PAPER)
Study = dict[str, VariantSummary]


def page(results: dict[str, Any], study: Study, figure: str) -> str:
    """The page as Markdown; the same results give the same text."""
    seeds = results["set_up"]["seeds"]
    parts = (
        f"# What the tree costs in accuracy: {results['data']}",
        _made_by(results),
        f"Mean ± standard deviation over {len(seeds)} training seeds; the set is the same for "
        "all. Hard routing, test set, last epoch. Differences are taken seed by seed.",
        _main_table(study),
        f"![top-1 and balance of every run]({figure})",
        "## Targets",
        _targets(study),
        "## The paper's ordering",
        _ordering(study),
        "## Every run",
        _runs_table(study),
        "Leaf names mean nothing from one seed to the next. CPU time includes evaluation.",
    )
    return "\n\n".join(parts) + "\n"


def _made_by(results: dict[str, Any]) -> str:
    set_up, made = results["set_up"], results["provenance"]
    recipe, versions = set_up["recipe"], made["versions"]
    minutes = sum(run["cpu_s"] for run in results["runs"]) / 60
    lines = (
        f"- made by `{results['command']} --out docs/studies`",
        f"- data: {made['data']}; {made['n_train']:,} training and {made['n_test']:,} test "
        f"examples of {made['n_classes']} classes",
        f"- network `{set_up['model']}`, widths of the levels "
        f"{set_up['fractions'] or 'as in the paper'}; {recipe['dense_epochs']} epochs dense at "
        f"{recipe['lr']:g}, {recipe['finetune_epochs']} epochs fine-tuning at "
        f"{recipe['finetune_lr']:g}, {recipe['optimizer']}, batch {recipe['batch_size']}",
        f"- {minutes:.1f} minutes of processor time on {made['device']} with {made['threads']} "
        f"thread(s), {made['precision']}",
        f"- versions: {', '.join(f'{name} {version}' for name, version in versions.items())}",
    )
    return "\n".join(lines)


def _main_table(study: Study) -> str:
    rows = [
        "| variant | top-1 % | top-5 % | against dense | against dense trained on | P_total | "
        "P_active | fewer active % | int8 bytes saved by ties | MFLOPs | balance |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for found in study.values():
        run = found.runs[0]
        if found.is_tree:
            size = (
                f"{run['p_total']:,} | {run['p_active']:,} | "
                f"{100 * run['active_cut_fraction']:.1f} | "
                f"{run['ties']['bytes_saved']['int8']:,}"
            )
        else:
            size = f"{run['params']:,} | {run['params']:,} | | "
        balance = (
            f"{found.balance.mean:.3f} ± {found.balance.deviation:.3f}" if found.balance else ""
        )
        rows.append(
            f"| {found.label} | {_number(found.top1_percent)} | {_number(found.top5_percent)} | "
            f"{_gap(found, DENSE)} | {_gap(found, CONTINUED)} | {size} | "
            f"{run['flops_fvcore'] / 1e6:.2f} | {balance} |"
        )
    return "\n".join(rows)


def _gap(found: VariantSummary, base: str) -> str:
    """A variant against a dense network; nothing against itself."""
    if found.name == base:
        return ""
    return _signed(found.against_dense if base == DENSE else found.against_continued)


def _targets(study: Study) -> str:
    rows = ["| variant | fewer active ≥ 58 % | within 1.72 points of dense | balance > 0.9 |"]
    rows.append("|---|---|---|---|")
    for found in study.values():
        if found.balance is None:
            continue
        cut_percent = 100 * found.runs[0]["active_cut_fraction"]
        loss = found.against_dense.mean
        cells = (
            _met(cut_percent >= LEAST_CUT_PERCENT, f"{cut_percent:.1f} %"),
            _met(loss >= -MOST_LOSS_POINTS, f"{loss:+.2f}".replace("-", "−")),
            _met(found.balance.mean > LEAST_BALANCE, f"{found.balance.mean:.3f}"),
        )
        rows.append(f"| {found.label} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _met(is_met: bool, value: str) -> str:
    return f"{'met' if is_met else '**not met**'}: {value}"


def _ordering(study: Study) -> str:
    """Where table VI's two orderings hold here, and which differences exceed their spread."""
    top1 = {name: study[name].top1_percent.mean for name in ABLATIONS}
    balance = {name: _balance(study[name]).mean for name in ABLATIONS}
    lines = [
        _one_ordering("Top-1", {n: PAPER[n][0] for n in ABLATIONS}, top1, study, 2),
        _one_ordering("Balance", {n: PAPER[n][1] for n in ABLATIONS}, balance, study, 3),
    ]
    default = study[DEFAULT]
    for name, found in study.items():
        if name in (DEFAULT, DENSE) or not found.is_tree:
            continue
        gap = difference(_tops(found), _tops(default))
        verdict = "more than" if gap.clear else "no more than"
        lines.append(
            f"- {found.label} against default: {_signed(gap)} points of top-1, {verdict} the "
            "spread over the seeds"
        )
    return "\n".join(lines)


def _one_ordering(
    what: str, paper: dict[str, float], here: dict[str, float], study: Study, digits: int
) -> str:
    verdict = "**not reproduced**"
    if _ranked(paper) == _ranked(here):
        verdict = "reproduced"
    elif _ranked(paper)[0] == _ranked(here)[0]:
        verdict = "reproduced in part (the default is first)"
    texts = [
        " > ".join(f"{study[name].label} {values[name]:.{digits}f}" for name in _ranked(values))
        for values in (paper, here)
    ]
    return f"- {what}, {verdict}. Paper (ImageNet-1K): {texts[0]}. Here: {texts[1]}."


def _ranked(values: dict[str, float]) -> list[str]:
    return sorted(values, key=lambda name: -values[name])


def _runs_table(study: Study) -> str:
    rows = ["| variant | seed | top-1 % | before fine-tuning % | balance | leaf use % | CPU s |"]
    rows.append("|---|---|---|---|---|---|---|")
    for found in study.values():
        for run in found.runs:
            tree = "| | | "
            if found.is_tree:
                use = " / ".join(f"{100 * share:.1f}" for share in run["leaf_shares"])
                before = 100 * run["initial"]["top1_fraction"]
                tree = f"| {before:.2f} | {run['balance_fraction']:.3f} | {use} "
            rows.append(
                f"| {found.label} | {run['seed']} | {100 * run['top1_fraction']:.2f} {tree}| "
                f"{run['cpu_s']:.0f} |"
            )
    return "\n".join(rows)


def _tops(found: VariantSummary) -> list[float]:
    return [100 * run["top1_fraction"] for run in found.runs]


def _balance(found: VariantSummary) -> Spread:
    return found.balance or Spread(0.0, 0.0)


def _number(value: Spread) -> str:
    return f"{value.mean:.2f} ± {value.deviation:.2f}"


def _signed(value: Spread) -> str:
    return f"{value.mean:+.2f} ± {value.deviation:.2f}".replace("-", "−")
