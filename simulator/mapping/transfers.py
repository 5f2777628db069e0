"""What each DMA command costs the memory, from the extents it touches there.

The weights of a group are stored in the order in which its tiling fetches them, as a compiler
does, so that a tile is one extent, unless the layout itself cuts them (`simulator.mapping.layout`).
Every activation tensor has a region of its own that starts on
a row; its tiles lie in it in the order in which they are moved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simulator.cost.dram import DramModel, TransferCost
from simulator.cost.dram_address import Transfer
from simulator.mapping.layout import WeightMap
from simulator.mapping.plan import GroupPlan
from simulator.mapping.schedule import NONE, CommandColumns, ReleaseCause
from simulator.mapping.tiles import Load, TransferKind


@dataclass(frozen=True)
class Command:
    """One DMA command: what it moves for which tile, and what it waits for; a store has no load.

    `release`, `delay_ps`, `cause`, `after` and `staged` are as in `CommandColumns`.
    """

    group: GroupPlan
    tile: int
    load: Load | None
    store_bytes: int = 0
    release: int = NONE
    delay_ps: int = 0
    cause: ReleaseCause = ReleaseCause.DATA
    after: int = NONE
    staged: bool = False

    @property
    def kind(self) -> TransferKind:
        """What it moves."""
        return TransferKind.OFMAP if self.load is None else self.load.kind

    @property
    def n_bytes(self) -> int:
        """How much it moves."""
        return self.store_bytes if self.load is None else self.load.n_bytes

    @property
    def free_tile(self) -> int:
        """The tile that, once done, gives a load's space back."""
        return NONE if self.load is None else self.tile + self.load.held_for


class TransferCosts:
    """Costs of a schedule's commands on one memory."""

    def __init__(self, dram: DramModel, weights: WeightMap | None = None) -> None:
        """Without a map of the weights, those of every group start on a row."""
        self.dram, self._map = dram, weights

    def weights(self, group: str, load: Load) -> TransferCost:
        """Cost of a piece of a group's weights."""
        if self._map is None or load.repeats > 1:
            return self.dram.transfer_cost(Transfer(load.offset_bytes, load.n_bytes))
        extents = tuple(self._map.transfers(group, load.offset_bytes, load.n_bytes))
        if len(extents) == 1:
            return self.dram.transfer_cost(extents[0])
        return self.dram.command_cost(extents)

    def phase(self, group: str) -> tuple[object, ...]:
        """What a group's costs depend on beside its shape and tiling."""
        return () if self._map is None else self._map.phase(group, self.dram)

    def in_order(self, commands: Iterable[Command]) -> list[TransferCost]:
        """Costs of commands in issue order."""
        moved: dict[tuple[str, bool], int] = defaultdict(int)
        costs = []
        for command in commands:
            load, group = command.load, command.group
            if load is not None and load.kind is TransferKind.WEIGHT:
                costs.append(self.weights(group.group.name, load))
                continue
            shape = group.shape
            region = shape.ofmap_bytes if load is None else shape.ifmap_bytes + shape.operand_bytes
            key = (group.group.name, load is None)
            address = moved[key] % region if region else 0
            moved[key] += command.n_bytes
            transfer = Transfer(address, command.n_bytes, is_write=load is None)
            costs.append(self.dram.transfer_cost(transfer))
        return costs

    def columns(self, commands: Sequence[Command]) -> CommandColumns:
        """The commands as a schedule's columns."""
        costs = self.in_order(commands)
        write_ps, read_ps = self.dram.write_latency_ps, self.dram.read_latency_ps
        return CommandColumns(
            kind=tuple(command.kind for command in commands),
            n_bytes=tuple(command.n_bytes for command in commands),
            tile=tuple(command.tile for command in commands),
            release_tile=tuple(command.release for command in commands),
            release_delay_ps=tuple(command.delay_ps for command in commands),
            release_cause=tuple(command.cause for command in commands),
            after_command=tuple(command.after for command in commands),
            free_tile=tuple(command.free_tile for command in commands),
            staged=tuple(command.staged for command in commands),
            bus_bytes=tuple(cost.bus_bytes for cost in costs),
            occupancy_ps=tuple(cost.occupancy_ps for cost in costs),
            latency_ps=tuple(write_ps if c.load is None else read_ps for c in commands),
            bursts=tuple(cost.bursts for cost in costs),
            activates=tuple(cost.activates for cost in costs),
        )
