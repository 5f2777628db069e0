"""What each DMA command costs the memory, from the extents it touches there.

The weights of a group are stored in the order in which its tiling fetches them, as a compiler
does, so that a tile is one extent, unless the layout itself cuts them (`simulator.mapping.layout`).
Every activation tensor has a region of its own that starts on
a row; its tiles lie in it in the order in which they are moved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

from simulator.cost.dram import DramModel, TransferCost
from simulator.cost.dram_address import Transfer
from simulator.mapping.layout import WeightMap
from simulator.mapping.plan import GroupPlan
from simulator.mapping.schedule import NONE, CommandColumns, ReleaseCause
from simulator.mapping.tiles import Load, TransferKind


class Command(NamedTuple):
    """One DMA command for a group: what it moves, and what it waits for; a store has no load.

    The columns from `kind` to `staged` are as in `CommandColumns`, and in its order.
    """

    group: GroupPlan
    load: Load | None
    kind: TransferKind
    n_bytes: int
    tile: int
    release_tile: int
    release_delay_ps: int
    release_cause: ReleaseCause
    after_command: int
    free_tile: int
    staged: bool

    @classmethod
    def store(cls, group: GroupPlan, tile: int, n_bytes: int) -> Command:
        """What writes a tile's outputs once it is done."""
        waits = (tile, 0, ReleaseCause.DATA, NONE)
        return cls(group, None, TransferKind.OFMAP, n_bytes, tile, *waits, NONE, False)


class TransferCosts:
    """Costs of a schedule's commands on one memory."""

    def __init__(self, dram: DramModel, weights: WeightMap | None = None) -> None:
        """Without a map of the weights, those of every group start on a row."""
        self.dram, self._map = dram, weights
        self._pieces: dict[tuple[str, int, int, int], TransferCost] = {}
        self._extents: dict[tuple[int, int, bool], TransferCost] = {}

    def weights(self, group: str, load: Load) -> TransferCost:
        """Cost of a piece of a group's weights."""
        key = (group, load.offset_bytes, load.n_bytes, load.repeats)
        found = self._pieces.get(key)
        if found is None:
            found = self._pieces[key] = self._cost_of_weights(group, load)
        return found

    def _cost_of_weights(self, group: str, load: Load) -> TransferCost:
        if self._map is None or load.repeats > 1:
            return self.dram.transfer_cost(Transfer(load.offset_bytes, load.n_bytes))
        extents = tuple(self._map.transfers(group, load.offset_bytes, load.n_bytes))
        if len(extents) == 1:
            return self.dram.transfer_cost(extents[0])
        return self.dram.command_cost(extents)

    def phase(self, group: str) -> tuple[object, ...]:
        """What a group's costs depend on beside its shape and tiling."""
        return () if self._map is None else self._map.phase(group, self.dram)

    def _cost_of_extent(self, address: int, n_bytes: int, is_write: bool) -> TransferCost:
        key = (address % self.dram.period_bytes, n_bytes, is_write)
        found = self._extents.get(key)
        if found is None:
            transfer = Transfer(address, n_bytes, is_write)
            found = self._extents[key] = self.dram.transfer_cost(transfer)
        return found

    def in_order(self, commands: Iterable[Command]) -> list[TransferCost]:
        """Costs of commands in issue order."""
        moved: dict[tuple[str, bool], int] = defaultdict(int)
        costs = []
        for command in commands:
            load, group = command.load, command.group
            name, shape = group.live.group.name, group.shape
            if load is not None and command.kind is TransferKind.WEIGHT:
                costs.append(self.weights(name, load))
                continue
            is_write, n_bytes = load is None, command.n_bytes
            region = shape.ofmap_bytes if is_write else shape.ifmap_bytes + shape.operand_bytes
            key = (name, is_write)
            address = moved[key] % region if region else 0
            moved[key] += n_bytes
            costs.append(self._cost_of_extent(address, n_bytes, is_write))
        return costs

    def columns(self, commands: Sequence[Command]) -> CommandColumns:
        """The commands as a schedule's columns."""
        costs = self.in_order(commands)
        write_ps, read_ps = self.dram.write_latency_ps, self.dram.read_latency_ps
        columns = zip(*commands, strict=True) if commands else repeat(())
        own: dict[str, Any] = dict(zip(Command._fields, columns, strict=False))
        del own["group"], own["load"]
        return CommandColumns(
            **own,
            bus_bytes=tuple([cost.bus_bytes for cost in costs]),
            occupancy_ps=tuple([cost.occupancy_ps for cost in costs]),
            latency_ps=tuple([write_ps if c.load is None else read_ps for c in commands]),
            bursts=tuple([cost.bursts for cost in costs]),
            activates=tuple([cost.activates for cost in costs]),
        )
