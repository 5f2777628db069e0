"""Where in DRAM each command of a schedule reads or writes, from the layout's own rules."""

from __future__ import annotations

from collections import defaultdict

from simulator.cost.dram_address import Transfer
from simulator.mapping.layout import WeightMap
from simulator.mapping.schedule import Schedule
from simulator.mapping.tiles import Load, TransferKind


def extents_of(schedule: Schedule, stored: WeightMap, region_bytes: int) -> list[Transfer]:
    """Weights where they are stored; each group's inputs and outputs in regions behind them."""
    commands = schedule.commands
    waiting: dict[tuple[int, TransferKind], list[Load]] = defaultdict(list)
    for number, tile in enumerate(tile for group in schedule.tiled for tile in group.tiles):
        for load in tile.loads:
            waiting[number, load.kind].append(load)
    free = -(-stored.extent_bytes // region_bytes) * region_bytes
    regions: dict[tuple[str, bool], int] = {}
    moved: dict[tuple[str, bool], int] = defaultdict(int)
    found: list[Transfer] = []
    for j, kind in enumerate(commands.kind):
        group = schedule.groups[schedule.tiles.group[commands.tile[j]]]
        if kind is TransferKind.WEIGHT:
            load = waiting[commands.tile[j], kind].pop(0)
            found += stored.transfers(group.group.name, load.offset_bytes, load.n_bytes)
            continue
        key = (group.group.name, kind is TransferKind.OFMAP)
        size = group.shape.ofmap_bytes if key[1] else group.shape.ifmap_bytes
        size += 0 if key[1] else group.shape.operand_bytes
        if key not in regions:
            regions[key] = free
            free += -(-max(size, commands.n_bytes[j]) // region_bytes) * region_bytes
        place = regions[key] + (moved[key] % size if size else 0)
        moved[key] += commands.n_bytes[j]
        found.append(Transfer(place, commands.n_bytes[j], key[1]))
    return found
