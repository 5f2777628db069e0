"""Weights that sibling branches keep in common: stored once, trained once, fetched once.

At the start siblings hold the same numbers wherever both keep the same channels for the same
purpose. Tied, such a part of a weight is one parameter; each sibling adds its own part.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workloads.sigma_branch.channels import LayerCopy


class Tie(StrEnum):
    """How much siblings keep in common.

    SHARED_CHANNELS ties the weights that write or read a shared channel; PLANES_AND_SHARED
    also those between planes, which are the same in all siblings. Batch norms stay each
    branch's own, since the branches' statistics differ.
    """

    NONE = "none"
    SHARED_CHANNELS = "shared_channels"
    PLANES_AND_SHARED = "planes_and_shared"


class TiedLayer(nn.Module):
    """A weight in up to three parts: the tied rows and columns, and the layer's own rest.

    Attributes:
        tied: tied rows x tied columns, the same parameter in every sibling.
        own_columns: tied rows x the other columns, or None.
        own_rows: the other rows x all columns, or None.
        bias: the layer's own, or None.
    """

    own_columns: nn.Parameter | None
    own_rows: nn.Parameter | None
    row_order: Tensor
    column_order: Tensor

    def __init__(self, layer: nn.Conv2d | nn.Linear, rows: Tensor, columns: Tensor) -> None:
        super().__init__()
        weight = layer.weight.detach()
        in_rows, out_rows = _split(rows, weight.device)
        in_columns, out_columns = _split(columns, weight.device)
        top = weight.index_select(0, in_rows)
        self.tied = nn.Parameter(top.index_select(1, in_columns))
        self.own_columns = _parameter(top.index_select(1, out_columns))
        self.own_rows = _parameter(weight.index_select(0, out_rows))
        self.bias = layer.bias
        self.register_buffer("row_order", _order(rows).to(weight.device), persistent=False)
        self.register_buffer("column_order", _order(columns).to(weight.device), persistent=False)

    def weight(self) -> Tensor:
        """The whole weight, its channels in their places."""
        weight: Tensor = self.tied
        if self.own_columns is not None:
            weight = torch.cat((weight, self.own_columns), 1).index_select(1, self.column_order)
        if self.own_rows is not None:
            weight = torch.cat((weight, self.own_rows)).index_select(0, self.row_order)
        return weight


class TiedLinear(TiedLayer):
    """A linear layer with a tied part."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight(), self.bias)


class TiedConv2d(TiedLayer):
    """A convolution with a tied part."""

    def __init__(self, layer: nn.Conv2d, rows: Tensor, columns: Tensor) -> None:
        super().__init__(layer, rows, columns)
        self.stride, self.padding = layer.stride, layer.padding

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight(), self.bias, self.stride, self.padding)


def tied_part(copy: LayerCopy, degree: Tie) -> tuple[Tensor, Tensor] | None:
    """Which rows and columns of a layer are tied, as masks; None if nothing is."""
    columns = copy.columns
    if degree is Tie.NONE or columns is None:
        return None
    on_channels = copy.rows.by_branch or columns.by_branch
    if degree is Tie.SHARED_CHANNELS and not on_channels:
        return None
    if not (copy.rows.shared.any() and columns.shared.any()):
        return None
    return copy.rows.shared, columns.shared


def tie_siblings(
    siblings: Sequence[nn.Module], copies: Sequence[Sequence[LayerCopy]], degree: Tie
) -> int:
    """Tie the common parts of sibling modules, in place; returns the parameters tied.

    The number counts a tied part once, as it is then stored.

    Args:
        siblings: specializers or heads below one parent, built alike.
        copies: for each sibling its layers' channels, in the same order.
        degree: how much to tie.
    """
    n_tied = 0
    for layer_copies in zip(*copies, strict=True):
        parts = [tied_part(copy, degree) for copy in layer_copies]
        layers = [
            _tie_layer(module, copy.target, part)
            for module, copy, part in zip(siblings, layer_copies, parts, strict=True)
            if part is not None
        ]
        for layer in layers[1:]:
            layer.tied = layers[0].tied
        n_tied += layers[0].tied.numel() if layers else 0
    return n_tied


def _tie_layer(module: nn.Module, path: str, part: tuple[Tensor, Tensor]) -> TiedLayer:
    """Replace one layer of a sibling by its tied form."""
    layer: Any = module.get_submodule(path)
    kind = TiedConv2d if isinstance(layer, nn.Conv2d) else TiedLinear
    tied = kind(layer, *part)
    owner, _, name = path.rpartition(".")
    setattr(module.get_submodule(owner), name, tied)
    return tied


def _split(mask: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Where a mask holds, and where it does not."""
    return mask.nonzero()[:, 0].to(device), (~mask).nonzero()[:, 0].to(device)


def _parameter(part: Tensor) -> nn.Parameter | None:
    return nn.Parameter(part) if part.numel() else None


def _order(mask: Tensor) -> Tensor:
    """Where each channel stands once the masked ones come first."""
    return torch.cat((mask.nonzero()[:, 0], (~mask).nonzero()[:, 0])).argsort()
