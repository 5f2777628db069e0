"""Kernels compiled, compiled without a place to keep machine code, and interpreted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from simulator.fast import compiled as module
from simulator.fast.compiled import compiled
from simulator.kernels.shares import first_not_before
from simulator.study import vector
from simulator.study.context import Context
from simulator.study.outcome import Outcome
from simulator.study.vector import evaluate_together


@pytest.fixture
def fresh() -> Iterator[None]:
    """Nothing compiled or evaluated is remembered, before and after."""
    forget()
    yield
    forget()


def forget() -> None:
    module._module.cache_clear()
    vector._families.clear()
    vector._grounds.clear()


def outcomes(context: Context) -> list[Outcome]:
    scenarios = [
        context.scenario({"policy": policy, "dram.peak_bytes_per_s": rate})
        for policy in ("on_demand", "both_siblings", "oracle")
        for rate in (10**8, 10**9)
    ]
    found = evaluate_together(scenarios)
    assert all(isinstance(outcome, Outcome) for outcome in found)
    return [outcome for outcome in found if isinstance(outcome, Outcome)]


def test_without_numba_the_same_is_interpreted(
    context: Context, fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = outcomes(context)
    forget()
    monkeypatch.setitem(sys.modules, "numba", None)
    assert compiled(first_not_before) is first_not_before
    found = outcomes(context)
    assert found == expected
    # SQLite takes no integers of NumPy's.
    kinds = {type(value) for outcome in found for value in outcome.metrics}
    assert kinds <= {int, float, type(None)}


def test_without_a_folder_for_machine_code_it_is_compiled_all_the_same(
    fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numba

    njit = numba.njit

    def nowhere(function: Any, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(function, **options)

    monkeypatch.setattr(numba, "njit", nowhere)
    kernel = compiled(first_not_before)
    assert kernel is not first_not_before
    assert [kernel(np.array([1, 3, 5]), 3, at) for at in (0, 3, 4, 9)] == [0, 1, 2, 3]
