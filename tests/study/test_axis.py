"""Axes as they are written, and the points they make."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import UserError
from simulator.study.axis import GridAxis, RandomAxis, parse_axis
from simulator.study.design import make_design


@pytest.mark.parametrize(
    ("text", "field", "values"),
    [
        ("a.b=16,32,64", "a.b", (16, 32, 64)),
        ("a.b=128:1024:x2", "a.b", (128, 256, 512, 1024)),
        ("a.b=100:1000:x3", "a.b", (100, 300, 900)),
        ("a.b=1:2:+0.25", "a.b", (1, 1.25, 1.5, 1.75, 2)),
        ("a.b=0:0.3:+0.1", "a.b", (0, 0.1, 0.2, 0.3)),
        ("dram.bandwidth=3.2G,800M", "dram.peak_bytes_per_s", (3_200_000_000, 800_000_000)),
        ("policy=on_demand, oracle", "policy", ("on_demand", "oracle")),
        ("policy=top_p:0.9,oracle", "policy", ("top_p:0.9", "oracle")),
        ("a.b=true,null", "a.b", (True, None)),
        ("a.b=6.4e9", "a.b", (6_400_000_000,)),
    ],
)
def test_grid_axes(text, field, values):
    axis = parse_axis(text)
    assert isinstance(axis, GridAxis)
    assert axis.field == field
    assert axis.values == pytest.approx(values) if 0.1 in values else axis.values == values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b", "expected a list"),
        ("=1,2", "expected a list"),
        ("a.b=", "expected a list"),
        ("a.b=1,2,1", "listed twice"),
        ("a.b=5:1:+1", "to a larger one"),
        ("a.b=1:5:+0", "never reaches"),
        ("a.b=0:5:x2", "never reaches"),
        ("a.b=1:5:x1", "never reaches"),
        ("a.b=1:5:y2", "expected a list"),
        ("a.b=0:5:loglhs", "must start above zero"),
        ("a.b=17:31:lhs:16", "no multiple of 16"),
        ("a.b=1:5:lhs:x", "whole number to round to"),
        ("a.b=0:1e9:+1", "more than"),
    ],
)
def test_wrong_axes(text, expected):
    with pytest.raises(UserError, match=expected):
        parse_axis(text)


def test_grid_points_are_the_product_last_axis_fastest():
    design = make_design([parse_axis("a.b=1,2"), parse_axis("c.d=3,4,5")], None, 0)
    points = [tuple(design.choices_at(i).values()) for i in range(design.n_points)]
    assert points == [(1, 3), (1, 4), (1, 5), (2, 3), (2, 4), (2, 5)]


@given(st.integers(1, 60), st.integers(0, 5))
def test_a_latin_hypercube_draws_every_part_of_every_axis_once(samples, seed):
    axes = [RandomAxis("a.b", 0, 1, False, None), RandomAxis("c.d", 1, 16, True, None)]
    design = make_design([GridAxis("e.f", (1, 2)), *axes], samples, seed)
    assert design.n_points == 2 * samples
    points = [design.choices_at(i) for i in range(samples)]
    assert sorted(int(point["a.b"] * samples) for point in points) == list(range(samples))
    # Equal factors: log2 of [1, 16] is [0, 4].
    parts = [int(math.log2(point["c.d"]) / 4 * samples) for point in points]
    assert sorted(parts) == list(range(samples))
    # The second grid value meets the same samples.
    assert [design.choices_at(samples + i)["a.b"] for i in range(samples)] == [
        point["a.b"] for point in points
    ]


def test_rounding_stays_in_the_range():
    axis = RandomAxis("a.b", 20, 100, False, 16)
    assert {axis.value_at(f / 10) for f in range(11)} <= {32, 48, 64, 80, 96}


@pytest.mark.parametrize(
    ("texts", "samples", "expected"),
    [
        (["a.b=1,2", "a.b=3"], None, "varied twice"),
        (["a.b=1:2:lhs"], None, "needs --samples"),
        (["a.b=1,2"], 5, "no axis is drawn"),
        (["a.b=1:2:lhs"], 0, "must be from 1"),
    ],
)
def test_wrong_designs(texts, samples, expected):
    with pytest.raises(UserError, match=expected):
        make_design([parse_axis(text) for text in texts], samples, 0)
