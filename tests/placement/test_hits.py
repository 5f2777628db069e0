import numpy as np
import pytest

from simulator.placement.hits import Locality


@pytest.mark.parametrize("persistence", [0.0, 0.6])
@pytest.mark.parametrize("window", [1, 3])
def test_rates_are_those_of_a_stream(window, persistence):
    rng = np.random.default_rng(0)
    share, n = 0.3, 200_000
    fresh = rng.random(n) < share
    repeats = rng.random(n) < persistence
    met = np.empty(n, dtype=bool)
    now = fresh[0]
    for at in range(n):
        now = now if repeats[at] else fresh[at]
        met[at] = now
    recent = np.zeros(n, dtype=bool)  # used by one of the `window` inferences before
    for back in range(1, window + 1):
        recent[back:] |= met[:-back]
    locality = Locality(window, persistence)
    assert locality.occupancy(share) == pytest.approx(recent.mean(), abs=0.01)
    assert locality.hit_rate(share) == pytest.approx(recent[met].mean(), abs=0.01)


def test_the_ends():
    assert Locality(0).hit_rate(0.5) == Locality(0).occupancy(0.5) == 0
    assert Locality(1).hit_rate(1.0) == Locality(1).occupancy(1.0) == 1
    assert Locality(5).hit_rate(0.0) == 0
    assert Locality(10**4).hit_rate(0.01) == pytest.approx(1)
    # Independent routes hit as often as the node is there; repeats hit more often.
    assert Locality(2).hit_rate(0.2) == pytest.approx(Locality(2).occupancy(0.2))
    assert Locality(2, 0.5).hit_rate(0.2) > Locality(2, 0.5).occupancy(0.2)
