"""The address streams of the cycle-level runs, as transfers."""

from __future__ import annotations

import random
from collections.abc import Mapping

from simulator.cost.dram_address import Transfer
from simulator.cost.dram_timing import DramOrganisation

LINE_BYTES = 64
ROWS = 4096
MOST_BYTES = 2**18
MOST_TRANSFERS = 768
LEAST_BLOCKS = 64


def stream(line: Mapping[str, str], organisation: DramOrganisation) -> list[Transfer]:
    """The transfers of a run, one per block or line; long runs are cut short.

    Random places are drawn anew (one seed): the runs' own are not published.
    """
    total, is_write = int(line["bytes"]), line["rw"] == "W"
    pattern = line["pattern"]
    if pattern == "sequential":
        return [Transfer(0, min(total, MOST_BYTES), is_write)]
    if pattern == "strided":
        count = min(total // LINE_BYTES, MOST_TRANSFERS)
        return [Transfer(0, LINE_BYTES, is_write, count, int(line["stride_bytes"]))]
    if pattern.startswith(("two_streams", "read_write")):
        return _two_streams(line, organisation)
    block = int(line["block_bytes"] or LINE_BYTES)
    count = min(total // block, MOST_TRANSFERS, max(2 * LEAST_BLOCKS, MOST_BYTES // block))
    lap_bytes = organisation.banks * organisation.row_bytes
    if pattern == "random_rows_one_bank":
        step, places = lap_bytes, ROWS
    else:
        step = max(int(line["block_alignment_bytes"] or block), block)
        places = lap_bytes * ROWS // step
    chosen = random.Random(1).sample(range(places), count)
    return [Transfer(place * step, block, is_write) for place in chosen]


def _two_streams(line: Mapping[str, str], organisation: DramOrganisation) -> list[Transfer]:
    """Two sequential streams in turns; the second half of all rows, maybe half of all banks, on."""
    second_writes = line["pattern"].startswith("read_write")
    granule = int(line["block_bytes" if second_writes else "granule_bytes"])
    count = min(
        int(line["bytes"]) // granule // 2,
        MOST_TRANSFERS // 2,
        max(LEAST_BLOCKS, MOST_BYTES // granule),
    )
    offset = organisation.banks * organisation.row_bytes * ROWS // 2
    if line["pattern"].endswith("diff_bank"):
        piece = 256 if line["mapping"] == "RoCoBaBgCo256" else organisation.row_bytes
        offset += piece * organisation.banks // 2
    pairs = (
        (Transfer(i * granule, granule), Transfer(offset + i * granule, granule, second_writes))
        for i in range(count)
    )
    return [transfer for pair in pairs for transfer in pair]
