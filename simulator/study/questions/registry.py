"""The questions, in the order in which they are best read."""

from __future__ import annotations

from simulator.study.questions import break_even, phases, prefetch, residency, shapes, waterfall

QUESTIONS = {
    question.name: question
    for question in (
        prefetch.QUESTION,
        residency.QUESTION,
        waterfall.QUESTION,
        phases.QUESTION,
        break_even.QUESTION,
        shapes.QUESTION,
    )
}
