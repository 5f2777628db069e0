"""Runs the peer simulator SCALE-Sim 3.0.0 on the shipped topology and prints its cycles as CSV.

    python tests/validate/scalesim_peer.py TOPOLOGY.csv ROWSxCOLS[,ROWSxCOLS...] > cycles.csv

Needs an environment of its own: scalesim==3.0.0 with numpy<2.4, which conflicts with ours.
"""

import contextlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path

CONFIG = """
[general]
run_name = peer
[architecture_presets]
ArrayHeight : {rows}
ArrayWidth : {cols}
IfmapSramSzkB : 4096
FilterSramSzkB : 4096
OfmapSramSzkB : 4096
IfmapOffset : 0
FilterOffset : 10000000
OfmapOffset : 20000000
Dataflow : {dataflow}
Bandwidth : 100000
ReadRequestBuffer : 64
WriteRequestBuffer : 64
[layout]
IfmapCustomLayout : False
IfmapSRAMBankBandwidth : 10
IfmapSRAMBankNum : 10
IfmapSRAMBankPort : 2
FilterCustomLayout : False
FilterSRAMBankBandwidth : 10
FilterSRAMBankNum : 10
FilterSRAMBankPort : 2
[sparsity]
SparsitySupport : false
SparseRep : ellpack_block
OptimizedMapping : false
BlockSize : 8
RandomNumberGeneratorSeed : 40
[run_presets]
InterfaceBandwidth : USER
UseRamulatorTrace : False
"""


def peer_cycles(topology: Path, rows: int, cols: int, dataflow: str) -> list[int]:
    """Each layer's cycles: Compute cycles of its log, Total Cycles of its report."""
    from scalesim.scale_sim import scalesim  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("scale.cfg").write_text(CONFIG.format(rows=rows, cols=cols, dataflow=dataflow))
        layout = Path("layout.csv")
        layout.write_text("Layer name\n")
        with contextlib.redirect_stdout(io.StringIO()) as log:
            peer = scalesim(
                save_disk_space=True,
                verbose=True,
                config="scale.cfg",
                topology=str(topology),
                layout=str(layout),
                input_type_gemm=False,
            )
            peer.run_scale(top_path=os.fspath(Path(folder)))
    text = log.getvalue()
    stalls = re.findall(r"(?m)^Stall cycles: (\d+)", text)
    assert set(stalls) == {"0"}, "the peer's bandwidth must not limit it"
    return [int(found) for found in re.findall(r"(?m)^Compute cycles: (\d+)", text)]


def main() -> None:
    topology, shapes = Path(sys.argv[1]).resolve(), sys.argv[2]
    names = [
        line.split(",")[0] for line in topology.read_text().splitlines()[1:] if line.strip(", ")
    ]
    sys.stdout.write("layer,rows,cols,dataflow,total_cycles\n")
    for shape in shapes.split(","):
        rows, cols = (int(side) for side in shape.split("x"))
        for dataflow in ("ws", "os", "is"):
            cycles = peer_cycles(topology, rows, cols, dataflow)
            for name, total in zip(names, cycles, strict=True):
                sys.stdout.write(f"{name},{rows},{cols},{dataflow},{total}\n")


if __name__ == "__main__":
    main()
