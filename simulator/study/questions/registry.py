"""The questions, in the order in which they are best read."""

from __future__ import annotations

from simulator.study.questions import (
    break_even,
    layout,
    phases,
    prefetch,
    residency,
    shapes,
    waterfall,
)

QUESTIONS = {
    question.name: question
    for question in (
        prefetch.QUESTION,
        layout.QUESTION,
        residency.QUESTION,
        waterfall.QUESTION,
        phases.QUESTION,
        break_even.QUESTION,
        shapes.QUESTION,
    )
}
