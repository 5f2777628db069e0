"""Google's TPU v1: operations per second of its four memory-bound production networks."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from simulator.ir import Dims, Layer, Op, Program, Route, Segment, Tensor, WeightBlock, Workload
from simulator.policy import Policy
from simulator.simulation import run_workload
from simulator.units import ps_to_s
from simulator.validate.case import Band, Case, Row, SpecLoader

DEVICE = "tpu_v1"


@dataclass(frozen=True)
class Network:
    """A line of tables 1, 3 and 7: matrix layers, weights, batch, measured rate, Google's error."""

    name: str
    layers: int
    weights: int
    batch: int
    tera_ops_per_s: float
    google_error_percent: float

    def workload(self) -> Workload:
        """The matrix layers as equal squares of the published number of weights."""
        side = isqrt(self.weights // self.layers)
        x = start = Tensor(name="input", shape=(self.batch, side))
        layers = []
        for i in range(self.layers):
            out = Tensor(name=f"{i}", shape=(self.batch, side))
            block = WeightBlock(name=f"{i}.weight", params=side * side)
            dims = Dims(k=side, c=side, p=self.batch)
            layers.append(
                Layer(
                    name=f"{i}.linear",
                    op=Op.LINEAR,
                    dims=dims,
                    ifmaps=(x,),
                    ofmap=out,
                    weights=(block,),
                )
            )
            x = out
        return Workload(
            name=self.name.lower(),
            description=f"{self.layers} equal square matrices, batch of {self.batch}",
            source="Jouppi et al., ISCA 2017, table 1",
            program=Program(inputs=(start,), steps=(Segment(name="all", layers=tuple(layers)),)),
        )


NETWORKS = (
    Network("MLP0", 5, 20_000_000, 200, 12.3, 6.8),
    Network("MLP1", 4, 5_000_000, 168, 9.7, 10.9),
    Network("LSTM0", 24, 52_000_000, 64, 3.7, 7.7),
    Network("LSTM1", 37, 34_000_000, 96, 2.8, 5.4),
)


def _rows(load: SpecLoader) -> tuple[Row, ...]:
    spec = load(DEVICE, [])
    rows = []
    for network in NETWORKS:
        run = run_workload(network.workload(), spec, Policy.ON_DEMAND, [Route(arms=())])
        operations = 2 * run.typical.counts.macs
        rate = operations / ps_to_s(run.typical.latency_ps) / 1e12
        name = f"{network.name} (Google's model: {network.google_error_percent} % off)"
        rows.append(Row(name, "rate", "TOPS", network.tera_ops_per_s, rate, "yardstick"))
    return tuple(rows)


CASE = Case(
    name="tpu_v1",
    title="TPU v1, the four production networks whose weights do not fit",
    device=DEVICE,
    source="measured; Jouppi et al., ISCA 2017, tables 1 and 3; Google's own model, table 7",
    fitted="nothing",
    leaves_out=(
        "the matrices' shapes, which are not published: equal squares here; 600 x 600 in LSTM1 "
        "fill a 256 x 256 array to 61 %",
        "vector layers (34 and 19 in the LSTMs), waits for the layer before (3 to 15 % of the "
        "cycles are read-after-write stalls) and input over PCIe (2 to 9 %)",
        "shifting a tile of weights into the array: 13 to 17 % of the cycles, partly hidden",
    ),
    bands=(Band("yardstick", None, "no band is asked for; Google's own model was 5 to 11 % off"),),
    rows=_rows,
)
