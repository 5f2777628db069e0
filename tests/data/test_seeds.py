import torch
from hypothesis import given
from hypothesis import strategies as st

from workloads.data.seeds import Stream, derive_seed, numpy_stream, torch_stream

addresses = st.tuples(
    st.integers(0, 2**32), st.sampled_from(Stream), st.integers(0, 500), st.integers(0, 10**6)
)


@given(addresses, addresses)
def test_each_address_is_a_stream_of_its_own(
    first: tuple[int, Stream, int, int], second: tuple[int, Stream, int, int]
) -> None:
    assert (derive_seed(*first) == derive_seed(*second)) == (first == second)


@given(addresses)
def test_seeds_fit_a_generator_and_repeat(address: tuple[int, Stream, int, int]) -> None:
    assert 0 <= derive_seed(*address) < 2**63
    first, second = (torch.rand(4, generator=torch_stream(*address)) for _ in range(2))
    assert torch.equal(first, second)
    assert (numpy_stream(*address).random(4) == numpy_stream(*address).random(4)).all()
