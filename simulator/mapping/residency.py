"""Decides which activations stay in the scratchpad between layers and which go to DRAM."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Set
from dataclasses import dataclass

from simulator.errors import Contributor, InfeasiblePlanError
from simulator.ir import Tensor, TensorKind
from simulator.mapping.groups import Liveness
from simulator.spec import AcceleratorSpec, Location
from simulator.units import bits_to_bytes


@dataclass(frozen=True)
class Residency:
    """Which tensors live in DRAM, and the scratchpad bytes residents take at each group.

    Attributes:
        in_dram: names of the tensors that are not kept on chip.
        resident_bytes: by group name, bytes of all resident tensors live there.
        staged_bytes: sizes of network inputs loaded whole before their first reader, and kept.
    """

    in_dram: frozenset[str]
    resident_bytes: dict[str, int]
    staged_bytes: dict[str, int]


def tensor_bytes(tensor: Tensor, spec: AcceleratorSpec) -> int:
    """Bytes of a tensor at its own width or the spec's."""
    return bits_to_bytes(tensor.elements, tensor_bits(tensor, spec))


def tensor_bits(tensor: Tensor, spec: AcceleratorSpec) -> int:
    """Bits per value: the tensor's own, or those of its kind in the spec."""
    if tensor.bits is not None:
        return tensor.bits
    if tensor.kind is TensorKind.INDEX:
        return spec.precision.index_bits
    return spec.precision.activation_bits


def always_in_dram(
    liveness: dict[str, Liveness], inputs: tuple[Tensor, ...], spec: AcceleratorSpec
) -> tuple[frozenset[str], frozenset[str]]:
    """Tensors that must pass through DRAM, and network inputs worth staging on chip.

    An input in DRAM with one reader is streamed; with several it is staged: loaded once and
    kept while it is live. Outputs go to DRAM if the spec says so.
    """
    readers = Counter(t.name for live in liveness.values() for t in live.inputs)
    outputs = {live.group.ofmap.name for live in liveness.values() if live.is_network_output}
    streamed: set[str] = outputs if spec.io.output_location is Location.DRAM else set()
    staged: set[str] = set()
    if spec.io.input_location is Location.DRAM:
        for tensor in inputs:
            (staged if readers[tensor.name] > 1 else streamed).add(tensor.name)
    return frozenset(streamed), frozenset(staged)


class ResidencyChooser:
    """Decides what stays on chip, at any budget; knows what is live at each group, and its size.

    Attributes:
        streamed: tensors that pass through DRAM at every budget.
        demand_bytes: by group, bytes of the tensors on chip while it runs if only those do; tile
            buffers not counted.
    """

    def __init__(
        self, liveness: dict[str, Liveness], inputs: tuple[Tensor, ...], spec: AcceleratorSpec
    ) -> None:
        self._liveness, self._inputs, self._spec = liveness, inputs, spec
        self._readers = Counter(t.name for live in liveness.values() for t in live.inputs)
        self.streamed, self._staged = always_in_dram(liveness, inputs, spec)
        self._bytes: dict[str, int] = {}
        self._tenants: dict[str, _Tenants] = {}
        self._groups_with: dict[str, list[str]] = defaultdict(list)
        self._own_streamed = {
            name: live.tensor_names & self.streamed for name, live in liveness.items()
        }
        for name, live in liveness.items():
            tenants = self._tenants[name] = _Tenants.of(live)
            for tensor in {*tenants.sure, live.group.ofmap.name}:
                self._groups_with[tensor].append(name)
            for t in (*live.inputs, live.group.ofmap):
                self._bytes[t.name] = tensor_bytes(t, spec)
        self.demand_bytes = {name: self._resident_bytes(name, self.streamed) for name in liveness}

    def choose(
        self, budget_bytes: int, tile_bytes_of: Callable[[Liveness, frozenset[str]], int]
    ) -> Residency:
        """Keep everything on chip that fits beside the tiles; move the cheapest to DRAM otherwise.

        Groups are visited in execution order, again and again until nothing moves. Where the live
        tensors and the group's tile buffers exceed the budget, tensors leave in order of the
        traffic they cause per byte they free (one write plus one read per reader), the largest
        first among equals.

        `tile_bytes_of` says how many bytes of tile buffers a group needs when the given ones of
        the tensors it reads or writes are in DRAM.

        Raises:
            InfeasiblePlanError: a group's smallest tiles do not fit even with all else in DRAM.
        """
        in_dram = set(self.streamed)
        demand_bytes, own = dict(self.demand_bytes), dict(self._own_streamed)
        unsettled = set(self._liveness)
        while unsettled:
            for name, live in self._liveness.items():
                while name in unsettled:
                    unsettled.remove(name)
                    tiles = tile_bytes_of(live, own[name])
                    if demand_bytes[name] + tiles <= budget_bytes:
                        break
                    leaving = self._cheapest(name, in_dram)
                    if leaving is None:
                        raise _infeasible(live, tiles, budget_bytes)
                    in_dram.add(leaving)
                    for other in self._groups_with[leaving]:
                        demand_bytes[other] = self._resident_bytes(other, in_dram)
                        own[other] = self._liveness[other].tensor_names & in_dram
                        unsettled.add(other)
        return Residency(
            in_dram=frozenset(in_dram),
            resident_bytes=demand_bytes,
            staged_bytes={
                t.name: tensor_bytes(t, self._spec)
                for t in self._inputs
                if t.name in self._staged and t.name not in in_dram
            },
        )

    def never_on_chip(self, budget_bytes: int) -> frozenset[str]:
        """Tensors that are in DRAM however a residency is chosen at a budget: they exceed it."""
        large = {name for name, n_bytes in self._bytes.items() if n_bytes > budget_bytes}
        return self.streamed | large

    def _cheapest(self, group: str, in_dram: Set[str]) -> str | None:
        """The tensor to leave first while a group runs; None if none is left."""
        rank = {
            name: (self._readers[name], -self._bytes[name], name)
            for name in self._tenants[group].on_chip(in_dram)
        }
        return min(rank, key=lambda name: rank[name], default=None)

    def _resident_bytes(self, group: str, in_dram: Set[str]) -> int:
        return sum([self._bytes[name] for name in self._tenants[group].on_chip(in_dram)])


@dataclass(frozen=True)
class _Tenants:
    """Names of the tensors that take scratchpad space while a group runs, unless in DRAM.

    `late` is what the group writes, which takes the place of `over` if that is on chip, too.
    """

    sure: tuple[str, ...]
    late: str | None
    over: str | None

    @classmethod
    def of(cls, live: Liveness) -> _Tenants:
        sure = dict.fromkeys(t.name for t in (*live.through, *live.inputs))
        late, over = (t.name if t is not None else None for t in (live.ofmap, live.overwrites))
        return cls(tuple(sure), late, over)

    def on_chip(self, in_dram: Set[str]) -> list[str]:
        """Those that take space of their own; see `resident_tensors`."""
        found = [name for name in self.sure if name not in in_dram]
        late, over = self.late, self.over
        if late is not None and late not in in_dram and (over is None or over in in_dram):
            found.append(late)
        return found


def resident_tensors(live: Liveness, in_dram: Set[str]) -> list[Tensor]:
    """Distinct tensors that take scratchpad space while the group runs."""
    tensors = {t.name: t for t in (*live.through, *live.inputs)}
    if live.ofmap is not None:
        over = live.overwrites
        shares = over is not None and over.name not in in_dram and live.ofmap.name not in in_dram
        if not shares:
            tensors[live.ofmap.name] = live.ofmap
    return [t for name, t in tensors.items() if name not in in_dram]


def _infeasible(live: Liveness, tiles: int, budget: int) -> InfeasiblePlanError:
    return InfeasiblePlanError(
        what=f"layer {live.group.name!r}, with its smallest tiles,",
        resource="scratchpad",
        demand_bytes=tiles,
        capacity_bytes=budget,
        contributors=(Contributor("tile buffers", tiles),),
    )
