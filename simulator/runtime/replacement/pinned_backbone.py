"""Keeps what every inference needs, and nothing else."""

from __future__ import annotations

from simulator.runtime.replacement.policy import History, ReplacementPolicy, Worth


class PinnedBackbone(ReplacementPolicy):
    """The first inference's backbone stays for good, as far as it fits."""

    def __init__(self, backbone: frozenset[int]) -> None:
        self._backbone = backbone

    def admits(self, node: int) -> bool:
        return node in self._backbone

    def worth(self, node: int, history: History) -> Worth:
        return (0.0,)
