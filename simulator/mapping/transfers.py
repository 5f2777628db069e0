"""What each DMA command costs the memory, from the extents it touches there.

The weights of a group lie in the order in which its tiling fetches them, as a compiler stores
them, so that a tile is one extent. Every activation tensor has a region of its own that starts on
a row; its tiles lie in it in the order in which they are moved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from simulator.cost.dram import DramModel, TransferCost
from simulator.cost.dram_address import Transfer
from simulator.mapping.plan import GroupPlan
from simulator.mapping.tiles import Load, TransferKind


@dataclass(frozen=True)
class Movement:
    """One command: the group it is for, and its load, or the bytes of its store."""

    group: GroupPlan
    load: Load | None
    store_bytes: int = 0

    @property
    def kind(self) -> TransferKind:
        """What it moves."""
        return TransferKind.OFMAP if self.load is None else self.load.kind

    @property
    def n_bytes(self) -> int:
        """How much it moves."""
        return self.store_bytes if self.load is None else self.load.n_bytes


class TransferCosts:
    """Costs of a schedule's commands on one memory."""

    def __init__(self, dram: DramModel) -> None:
        self._dram = dram

    def weights(self, group: str, load: Load) -> TransferCost:
        """Cost of a piece of a group's weights."""
        del group  # every group's weights start on a row
        return self._dram.transfer_cost(Transfer(load.offset_bytes, load.n_bytes))

    def in_order(self, movements: Iterable[Movement]) -> list[TransferCost]:
        """Costs of commands in issue order."""
        moved: dict[tuple[str, bool], int] = defaultdict(int)
        costs = []
        for movement in movements:
            load, group = movement.load, movement.group
            if load is not None and load.kind is TransferKind.WEIGHT:
                costs.append(self.weights(group.group.name, load))
                continue
            shape = group.shape
            region = shape.ofmap_bytes if load is None else shape.ifmap_bytes + shape.operand_bytes
            key = (group.group.name, load is None)
            address = moved[key] % region if region else 0
            moved[key] += movement.n_bytes
            costs.append(
                self._dram.transfer_cost(Transfer(address, movement.n_bytes, is_write=load is None))
            )
        return costs
