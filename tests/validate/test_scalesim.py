"""Systolic cycles equal SCALE-Sim's: its formulae, its recorded runs, and the peer itself."""

import csv
import os
import random
import subprocess
from pathlib import Path

import pytest

import simulator.validate
from simulator.cost.compute import TileShape, pe_cycles
from simulator.spec import Dataflow, PeArray
from simulator.topology_csv import workload_from_topology
from simulator.validate.scalesim import CASE, DATAFLOWS, TOPOLOGY, total_cycles

PEER = "SCALESIM_PYTHON"
"""Environment variable: the Python interpreter that SCALE-Sim is installed for."""

DATA = Path(simulator.validate.__file__).parent / "data"


def array(rows: int, cols: int, dataflow: Dataflow) -> PeArray:
    return PeArray(rows=rows, cols=cols, dataflow=dataflow, clock_hz=10**9)


def test_equal_to_every_recorded_run():
    rows = CASE.rows(None)  # type: ignore[arg-type]
    assert len(rows) == 5 * 4 * 3
    assert [row.name for row in rows if row.predicted != row.reference] == []


def test_folds_counted_one_by_one():
    """A walk over the folds: fill, stream and drain of each, as an array would do them."""
    draw = random.Random(0)
    for _ in range(200):
        rows, cols = draw.randint(1, 40), draw.randint(1, 40)
        m, n, k = (draw.randint(1, 90) for _ in range(3))
        tile = TileShape(k=n, c=k, m=m, r=1, s=1)
        expected = {
            Dataflow.OUTPUT_STATIONARY: (m, n, rows + cols + k - 2),
            Dataflow.WEIGHT_STATIONARY: (k, n, rows + (rows + cols + m - 2)),
            Dataflow.INPUT_STATIONARY: (k, m, rows + (rows + cols + n - 2)),
        }
        for dataflow, (down, across, fold) in expected.items():
            cycles = 0
            for _ in range(0, down, rows):
                for _ in range(0, across, cols):
                    cycles += fold
            assert pe_cycles(array(rows, cols, dataflow), tile) == cycles


@pytest.mark.slow
def test_equal_to_the_peer_itself():
    """Runs the installed SCALE-Sim: in an environment of its own, which PEER names."""
    peer = os.environ.get(PEER)
    if peer is None:
        pytest.skip(f"{PEER} names no Python that has scalesim 3.0.0 (with numpy<2.4)")
    shapes = ((7, 9), (20, 3))
    script = Path(__file__).parent / "scalesim_peer.py"
    command = [peer, str(script), str(DATA / TOPOLOGY), ",".join(f"{r}x{c}" for r, c in shapes)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    reader = csv.DictReader(run.stdout.splitlines())
    measured = {
        (int(line["rows"]), int(line["cols"]), line["dataflow"], line["layer"]): int(
            line["total_cycles"]
        )
        for line in reader
    }
    text = (DATA / TOPOLOGY).read_text()
    layers = list(workload_from_topology(text, TOPOLOGY).program.layers())
    own = {
        (rows, cols, name, layer.name): total_cycles(array(rows, cols, dataflow), layer)
        for rows, cols in shapes
        for name, dataflow in DATAFLOWS.items()
        for layer in layers
    }
    assert len(own) == 2 * 3 * len(layers)
    assert own == measured
