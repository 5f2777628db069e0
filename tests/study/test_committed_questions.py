"""The studies that are committed show what the simulator says today, and their claims follow."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from reports.studies.question_page import page
from reports.studies.questions import csv_text, read_rows
from reports.studies.study_index import index_page
from simulator.__main__ import services
from simulator.cli.resolve import resolve_spec, resolve_workload
from simulator.study.questions import phases, prefetch, shapes, waterfall
from simulator.study.questions.lab import Lab
from simulator.study.questions.prefetch import answer_table
from simulator.study.questions.question import Row, where
from simulator.study.questions.registry import QUESTIONS
from simulator.study.store import Store
from simulator.study.workers import InProcess

STUDIES = Path(__file__).resolve().parent.parent.parent / "docs" / "studies"
RENEW = (
    "renew it: python -m simulator study {} --out DIR; then copy DIR/{}.* and DIR/answer.md to "
    "docs/studies, DIR/answer.png to docs/images, and renew docs/studies/README.md"
)
IDENTITY = {
    "prefetch": ("device", "policy"),
    "layout": ("device", "policy", "layout", "alignment"),
    "residency": ("workload", "scratchpad_kib", "persistence", "residency", "scope"),
    "waterfall": ("device", "measure", "step"),
    "phases": ("kind", "device", "scratchpad_kib", "macs_per_byte", "policy"),
    "break_even": ("device", "guess", "accuracy_fraction"),
    "shapes": ("device", "shape", "policy"),
}
DEPENDS_ON_ALL_ROWS = {
    "residency": ("latency_saving_percent", "energy_saving_percent", "latency_gain_points"),
    "break_even": ("break_even_latency_fraction", "break_even_energy_fraction"),
    "waterfall": ("policy", "number"),
}
"""Columns that compare a row with others: a subset of the rows need not give them."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The shipped devices and networks; points that studies share are simulated once."""
    found = services()
    with Store(tmp_path_factory.mktemp("store") / "results.sqlite") as store:
        yield Lab(
            ("edge_npu",),
            lambda name: resolve_spec(name, [], found)[0],
            partial(resolve_workload, services=found),
            store,
            InProcess(),
            lambda progress: None,
        )


def few_points(monkeypatch) -> None:
    """Only what runs in a moment: no speculation."""
    for module in (prefetch, waterfall, phases, shapes):
        monkeypatch.setattr(module, "policies", lambda: ["on_demand", "oracle"])


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_part_of_the_table_is_reproduced(name, lab, monkeypatch):
    few_points(monkeypatch)
    kept = read_rows(STUDIES / f"{name}.csv")
    now = [row for row in QUESTIONS[name].collect(lab, True) if row.get("step") != "delivered"]
    assert now
    for row in now:
        place = {c: "" if row[c] is None else row[c] for c in IDENTITY[name]}
        (committed,) = where(kept, **place)
        compared = [c for c in row if c not in DEPENDS_ON_ALL_ROWS.get(name, ())]
        for column in compared:
            assert same(committed, row, column), (column, RENEW.format(name, name))


def same(committed: Row, now: Row, column: str) -> bool:
    kept, value = committed[column], now[column]
    if isinstance(value, int | float):
        return kept == pytest.approx(value, rel=1e-9, abs=1e-9)
    return kept == (value or "")


@pytest.mark.parametrize("name", QUESTIONS)
def test_page_and_claims_follow_from_the_table(name):
    question, rows = QUESTIONS[name], read_rows(STUDIES / f"{name}.csv")
    made = json.loads((STUDIES / f"{name}.json").read_text(encoding="utf-8"))
    assert csv_text(question, rows) == (STUDIES / f"{name}.csv").read_text(encoding="utf-8")
    assert made["claims"] == question.claims(rows)
    assert made["rows"] == len(rows)
    assert page(question, rows, made) == (STUDIES / f"{name}.md").read_text(encoding="utf-8")
    assert (STUDIES / f"{name}.png").stat().st_size > 10_000


def test_the_index_and_the_readme_s_table_follow_too():
    assert (STUDIES / "README.md").read_text(encoding="utf-8") == index_page(STUDIES)
    rows = read_rows(STUDIES / "prefetch.csv")
    assert (STUDIES / "answer.md").read_text(encoding="utf-8") == answer_table(rows)
