"""What each DMA command costs the memory, from the extents it touches there.

The weights of a group are stored in the order in which its tiling fetches them, as a compiler
does, so that a tile is one extent, unless the layout itself cuts them (`simulator.mapping.layout`).
Every activation tensor has a region of its own that starts on a row; its tiles lie in it in the
order in which they are moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulator.cost.dram import DramModel, TransferCost
from simulator.cost.dram_address import Transfer
from simulator.mapping.layout import WeightMap
from simulator.mapping.plan import GroupPlan
from simulator.mapping.tiles import Whole


class Moves(NamedTuple):
    """Per command, in issue order: the place of its group on the path, and what it moves.

    `offset_bytes` and `repeats` are those of weights, see `tiles.Load`.
    """

    group: Whole
    is_weight: Whole
    is_write: Whole
    n_bytes: Whole
    offset_bytes: Whole
    repeats: Whole


class TransferCosts:
    """Costs of a schedule's commands on one memory."""

    def __init__(self, dram: DramModel, weights: WeightMap | None = None) -> None:
        """Without a map of the weights, those of every group start on a row."""
        self.dram, self._map = dram, weights
        self._pieces: dict[tuple[str, int, int, int], TransferCost] = {}
        self._extents: dict[tuple[int, int, int], TransferCost] = {}
        self._phases: dict[str, tuple[object, ...]] = {}

    def weights(self, group: str, offset: int, n_bytes: int, repeats: int) -> TransferCost:
        """Cost of a piece of a group's weights."""
        key = (group, offset, n_bytes, repeats)
        found = self._pieces.get(key)
        if found is None:
            found = self._pieces[key] = self._cost_of_weights(*key)
        return found

    def _cost_of_weights(self, group: str, offset: int, n_bytes: int, repeats: int) -> TransferCost:
        if self._map is None or repeats > 1:
            return self.dram.transfer_cost(Transfer(offset, n_bytes))
        extents = tuple(self._map.transfers(group, offset, n_bytes))
        if len(extents) == 1:
            return self.dram.transfer_cost(extents[0])
        return self.dram.command_cost(extents)

    def phase(self, group: str) -> tuple[object, ...]:
        """What a group's costs depend on beside its shape and tiling."""
        if self._map is None:
            return ()
        if group not in self._phases:
            self._phases[group] = self._map.phase(group, self.dram)
        return self._phases[group]

    def of(self, groups: Sequence[GroupPlan], moves: Moves) -> list[TransferCost]:
        """Costs of a path's commands in issue order."""
        names = [group.live.group.name for group in groups]
        rows = zip(
            moves.group.tolist(),
            moves.is_weight.tolist(),
            moves.is_write.tolist(),
            moves.n_bytes.tolist(),
            np.where(moves.is_weight, moves.offset_bytes, self._addresses(groups, moves)).tolist(),
            moves.repeats.tolist(),
            strict=True,
        )
        return [
            self.weights(names[group], at, n_bytes, repeats)
            if is_weight
            else self._activations(at, n_bytes, is_write)
            for group, is_weight, is_write, n_bytes, at, repeats in rows
        ]

    def _activations(self, address: int, n_bytes: int, is_write: int) -> TransferCost:
        key = (address, n_bytes, is_write)
        found = self._extents.get(key)
        if found is None:
            transfer = Transfer(address, n_bytes, bool(is_write))
            found = self._extents[key] = self.dram.transfer_cost(transfer)
        return found

    def _addresses(self, groups: Sequence[GroupPlan], moves: Moves) -> Whole:
        """Of activations: after what the group has moved of them before, in a region of its own.

        Up to the period in which the memory repeats.
        """
        shapes = [group.shape for group in groups]
        regions = np.array(
            [(s.ifmap_bytes + s.operand_bytes, s.ofmap_bytes) for s in shapes], dtype=np.int64
        ).ravel()
        which = 2 * moves.group + moves.is_write
        n_bytes = np.where(moves.is_weight, 0, moves.n_bytes)
        order = np.argsort(which, kind="stable")
        before = np.cumsum(n_bytes[order]) - n_bytes[order]
        first = np.searchsorted(which[order], which[order])
        addresses = np.empty_like(before)
        addresses[order] = before - before[first]
        found: Whole = addresses % np.maximum(regions[which], 1) % self.dram.period_bytes
        return found
