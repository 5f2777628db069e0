"""SCALE-Sim 3.0.0's own cycle counts, array shape by array shape and dataflow by dataflow."""

from __future__ import annotations

from simulator.cost.compute import TileShape, pe_cycles
from simulator.ir import Layer
from simulator.spec import Dataflow, PeArray
from simulator.topology_csv import workload_from_topology
from simulator.validate.case import Band, Case, Row, SpecLoader
from simulator.validate.reference import reference_rows, reference_text

TOPOLOGY = "scalesim_topology.csv"
CYCLES = "scalesim_cycles.csv"
DATAFLOWS = {
    "ws": Dataflow.WEIGHT_STATIONARY,
    "os": Dataflow.OUTPUT_STATIONARY,
    "is": Dataflow.INPUT_STATIONARY,
}


def total_cycles(array: PeArray, layer: Layer) -> int:
    """What SCALE-Sim reports for a layer: the index of the last busy cycle, not their number."""
    d = layer.dims
    return int(pe_cycles(array, TileShape(k=d.k, c=d.c, m=d.n * d.p * d.q, r=d.r, s=d.s))) - 1


def _rows(load: SpecLoader) -> tuple[Row, ...]:
    workload = workload_from_topology(reference_text(TOPOLOGY), TOPOLOGY)
    layers = {layer.name: layer for layer in workload.program.layers()}
    rows = []
    for line in reference_rows(CYCLES):
        array = PeArray(
            rows=int(line["rows"]),
            cols=int(line["cols"]),
            dataflow=DATAFLOWS[line["dataflow"]],
            clock_hz=10**9,
        )
        rows.append(
            Row(
                name=f"{line['layer']} {line['rows']}x{line['cols']} {line['dataflow']}",
                quantity="cycles",
                unit="",
                reference=int(line["total_cycles"]),
                predicted=total_cycles(array, layers[line["layer"]]),
                band="exact",
            )
        )
    return tuple(rows)


CASE = Case(
    name="scalesim",
    title="systolic array cycles of three dataflows, on SCALE-Sim's own topology format",
    device="none: bare arrays of several shapes",
    source="SCALE-Sim 3.0.0 (arXiv 1811.02883), run once; simulator/validate/data/README.md",
    fitted="nothing",
    leaves_out=("SCALE-Sim's memory stalls: its 'Total Cycles' are those of a full scratchpad",),
    bands=(Band("exact", 0.0, "the same folds, counted the same way"),),
    rows=_rows,
)
