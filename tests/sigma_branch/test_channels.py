import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from workloads.sigma_branch.channels import (
    Channels,
    LayerCopy,
    copy_layer,
    overlap,
    select_channels,
    strongest_filters,
)


def test_shared_then_specific_by_hand():
    means = torch.tensor([[9.0, 5.0, 1.0, 8.0, 0.0, 3.0], [8.0, 5.0, 7.0, 1.0, 2.0, 0.0]])
    # min: 8 5 1 1 0 0 -> shared (floor(.5 * 4) = 2): 0, 1.
    # a0 - a1 of 2..5: -6 7 -2 3 -> 3, 5; a1 - a0: 6 -7 2 -3 -> 2, 4.
    first, second = select_channels(means, keep=4, shared_fraction=0.5)
    assert first.index.tolist() == [0, 1, 3, 5]
    assert second.index.tolist() == [0, 1, 2, 4]
    assert first.shared.tolist() == [True, True, False, False]
    assert overlap([first, second]) == 0


def test_branches_that_want_the_same_channel_both_get_it():
    means = torch.tensor([[9.0, 4.0, 1.0], [9.0, 1.0, 1.0]])
    # shared: 0. a0 - a1 of 1, 2: 3, 0 -> 1. a1 - a0: -3, 0 -> 2; keeping 3 takes the rest too.
    first, second = select_channels(means, keep=2, shared_fraction=0.5)
    assert (first.index.tolist(), second.index.tolist()) == ([0, 1], [0, 2])
    assert overlap(select_channels(means, keep=3, shared_fraction=0.5)) == 2


def test_published_widths_overlap_at_level_1():
    # 362 shared and 362 specific each of 1,024: at least 362 * 3 - 1024 = 62 are chosen twice.
    means = torch.rand(2, 1024, generator=torch.Generator().manual_seed(0))
    branches = select_channels(means, keep=724, shared_fraction=0.5)
    assert int(branches[0].shared.sum()) == 362
    assert overlap(branches) >= 62


@given(st.integers(1, 4), st.integers(1, 24), st.floats(0, 1), st.integers(0, 1000), st.data())
def test_every_branch_is_sorted_distinct_and_agrees_on_what_is_shared(
    n_clusters, width, fraction, seed, data
):
    keep = data.draw(st.integers(1, width))
    means = torch.rand(n_clusters, width, generator=torch.Generator().manual_seed(seed))
    branches = select_channels(means, keep, fraction)
    shared = {tuple(b.index[b.shared].tolist()) for b in branches}
    assert len(shared) == 1
    assert len(shared.pop()) == int(fraction * keep)
    for branch in branches:
        assert len(branch.index) == keep
        assert branch.index.tolist() == sorted(set(branch.index.tolist()))


def test_full_width_keeps_every_channel_in_order():
    for branch in select_channels(torch.rand(2, 9), keep=9, shared_fraction=0.5):
        assert branch.index.tolist() == list(range(9))


def test_strongest_filters_by_l1_norm():
    weight = torch.tensor([[1.0, -1.0], [0.5, 0.0], [-3.0, 0.1], [0.0, 2.0]])
    # Norms 2, 0.5, 3.1, 2: of the two equal ones the first is kept.
    assert strongest_filters(weight, 2).index.tolist() == [0, 2]
    assert strongest_filters(weight, 3).index.tolist() == [0, 2, 3]


def test_copy_takes_rows_and_columns_of_a_convolution():
    dense, small = nn.Conv2d(4, 5, 3), nn.Conv2d(2, 2, 3)
    rows, columns = Channels.common(torch.tensor([1, 4])), Channels.common(torch.tensor([0, 3]))
    copy_layer(small, dense, LayerCopy("", "", rows, columns))
    assert torch.equal(small.weight, dense.weight[[1, 4]][:, [0, 3]])
    assert torch.equal(small.bias, dense.bias[[1, 4]])


def test_copy_takes_the_statistics_of_a_norm():
    dense, small = nn.BatchNorm2d(4), nn.BatchNorm2d(2)
    dense(torch.randn(3, 4, 5, 5))
    copy_layer(small, dense, LayerCopy("", "", Channels.common(torch.tensor([0, 2]))))
    assert torch.equal(small.running_mean, dense.running_mean[[0, 2]])
    assert torch.equal(small.running_var, dense.running_var[[0, 2]])
    assert int(small.num_batches_tracked) == 1


def test_leading_channels_are_kept_before_the_chosen():
    channels = Channels(torch.tensor([1, 4]), torch.tensor([True, False]), by_branch=True)
    after = channels.after(3)
    assert after.index.tolist() == [0, 1, 2, 4, 7]
    assert after.shared.tolist() == [True, True, True, True, False]


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_nothing_or_everything_shared(fraction):
    branches = select_channels(torch.rand(2, 8), keep=4, shared_fraction=fraction)
    assert all(bool(b.shared.all()) == (fraction == 1.0) for b in branches)
