"""The questions, in the order in which they are best read."""

from __future__ import annotations

from simulator.study.questions import phases, prefetch, residency, waterfall

QUESTIONS = {
    question.name: question
    for question in (
        prefetch.QUESTION,
        residency.QUESTION,
        waterfall.QUESTION,
        phases.QUESTION,
    )
}
