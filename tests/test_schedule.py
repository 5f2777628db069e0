"""The static schedule: what waits for what, and that everything has its place on chip."""

from simulator.fast.recurrence import replay
from simulator.policy import Policy
from tests.devices import device
from tests.networks import Net, program, tensor
from tests.occupancy import peak_bytes
from tests.simulate import every_schedule


def test_loads_wait_until_the_output_buffers_they_replace_are_stored():
    # 2 KiB: the first layer's 2,048 B of outputs pass through DRAM, far more slowly than they
    # are computed; the last of them still lie in their buffers when the next layer's weights and
    # inputs want that place.
    x = tensor("input", 1, 4, 8, 8)
    net = Net("net")
    net.conv(net.conv(x, 32), 16)
    spec = device(scratchpad__capacity_kib=2, dram__peak_bytes_per_s=10**8, dram__burst_bytes=1)
    schedules = list(every_schedule(program(net, inputs=(x,)), spec, Policy.ON_DEMAND))
    assert schedules
    for plan, schedule in schedules:
        assert peak_bytes(replay(schedule), plan, spec) <= schedule.budget_bytes, plan.knobs
