"""The router of a node: projects what the node computed and chooses one child."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

PROJECTION_WIDTH = 128
"""Width of the space in which samples are clustered (arXiv 2606.09924, section IV)."""


class Router(nn.Module):
    """Pool, linear, layer norm, dropout (the projection), then one logit per child.

    Without an inner non-linearity, so that the directions of the projected samples, which the
    clustering reads, are what the gate sees.

    Args:
        pool: maps the node's state to (batch, in_width).
        in_width: channels of the pooled state.
        n_children: number of arms to choose from.
        dropout: probability of dropping a projected value in training.
        projection_width: of the space in which samples are clustered.
    """

    def __init__(
        self,
        pool: nn.Module,
        in_width: int,
        n_children: int,
        dropout: float,
        projection_width: int = PROJECTION_WIDTH,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.linear = nn.Linear(in_width, projection_width)
        self.norm = nn.LayerNorm(projection_width)
        self.dropout = nn.Dropout(dropout)
        self.gate = nn.Linear(projection_width, n_children)

    def aim(self, centroids: Tensor) -> None:
        """Choose the centroid nearest in direction: a child for each, without bias."""
        with centroids.device:
            self.gate = nn.Linear(self.gate.in_features, len(centroids))
        with torch.no_grad():
            self.gate.weight.copy_(centroids)
            self.gate.bias.zero_()

    def project(self, state: Any) -> Tensor:
        """The samples' latents, (batch, projection_width)."""
        return self.dropout(self.norm(self.linear(self.pool(state))))

    def forward(self, state: Any) -> Tensor:
        """Logits over the children, (batch, n_children)."""
        return self.gate(self.project(state))

    def decide(self, state: Any) -> tuple[Tensor, Tensor]:
        """Probabilities (batch, n_children) and the most probable child (batch,)."""
        probabilities = self(state).softmax(1)
        return probabilities, probabilities.argmax(1)
