"""A vision transformer as a hybrid: dense attention, tree-structured feed-forward layers.

The route is decided once per level and image. Attention (with the norm before it) is one
module that all specializers of a level run, so its weights are stored once; the feed-forward
layers (with their norm) are each branch's own. arXiv 2606.09924, section VI-D, names this as
an open direction; what is built here is this project's answer.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from workloads.models.vit import Attention, EncoderBlock, FeedForward, ViT
from workloads.sigma_branch.adapters.base import Adapter, Chosen, scaled
from workloads.sigma_branch.channels import Channels, LayerCopy


class ViTAdapter(Adapter[ViT]):
    """A stage is a run of encoder blocks; each block's hidden units are a group to choose from.

    The stream between blocks keeps its width, so that attention can stay dense.
    """

    def __init__(self, dense: ViT) -> None:
        self.dense = dense
        self.n_stages = len(dense.shape.blocks_per_stage)
        self.max_depth = self.n_stages

    def trunk(self, n_stages: int) -> nn.Module:
        parts: list[tuple[str, nn.Module]] = [("embed", self.dense.embed)]
        parts += [(f"stage{s + 1}", self.dense.stage(s)) for s in range(n_stages)]
        return nn.Sequential(OrderedDict(copy.deepcopy(parts)))

    def pool(self, stage: int) -> nn.Module:
        return TokenMean()

    def width(self, stage: int, fraction: float) -> int:
        return self.dense.shape.width

    def specializers(self, stage: int, in_width: int, fraction: float, n: int) -> list[nn.Module]:
        hidden = self._hidden(fraction)
        attentions = [
            (copy.deepcopy(block.norm1), copy.deepcopy(block.attn)) for block in self._blocks(stage)
        ]
        with self.device:
            return [
                nn.Sequential(*(HybridBlock(*pair, in_width, hidden) for pair in attentions))
                for _ in range(n)
            ]

    def head(self, in_width: int, fraction: float) -> nn.Module:
        with self.device:
            return TokenHead(in_width, self.dense.fc.out_features)

    def dense_state(self, x: Tensor, stage: int) -> Tensor:
        x = self.dense.embed(x)
        for index in range(stage + 1):
            x = self.dense.stage(index)(x)
        return x

    def group_widths(self, stage: int, fraction: float) -> dict[str, int]:
        return dict.fromkeys(self._groups(stage), self._hidden(fraction))

    def channel_means(self, x: Tensor, stage: int) -> dict[str, Tensor]:
        means: dict[str, Tensor] = {}
        hooks = []
        for group, block in zip(self._groups(stage), self._blocks(stage), strict=True):

            def keep(_module: nn.Module, _args: Any, out: Tensor, group: str = group) -> None:
                means[group] = out.mean(1)

            hooks.append(block.mlp.act.register_forward_hook(keep))
        try:
            self.dense_state(x, stage)
        finally:
            for hook in hooks:
                hook.remove()
        return means

    def outputs(self, stage: int, chosen: Chosen) -> Channels:
        return Channels.every(self.dense.shape.width, self.device)

    def specializer_copies(
        self, stage: int, inputs: Channels, chosen: Chosen, fraction: float
    ) -> list[LayerCopy]:
        whole = Channels.every(self.dense.shape.width, self.device)
        copies = []
        for index, group in enumerate(self._groups(stage)):
            source = f"stage{stage + 1}.{index}"
            hidden = chosen[group]
            copies += [
                LayerCopy(f"{index}.norm2", f"{source}.norm2", whole),
                LayerCopy(f"{index}.mlp.fc1", f"{source}.mlp.fc1", hidden, whole),
                LayerCopy(f"{index}.mlp.fc2", f"{source}.mlp.fc2", whole, hidden),
            ]
        return copies

    def head_copies(self, inputs: Channels, fraction: float) -> list[LayerCopy]:
        whole = Channels.every(self.dense.shape.width, self.device)
        classes = Channels.every(self.dense.fc.out_features, self.device)
        return [LayerCopy("norm", "norm", whole), LayerCopy("fc", "fc", classes, whole)]

    def _hidden(self, fraction: float) -> int:
        return scaled(self.dense.shape.hidden, fraction)

    def _blocks(self, stage: int) -> list[Any]:
        return list(self.dense.stage(stage).children())

    def _groups(self, stage: int) -> list[str]:
        return [f"hidden{index}" for index in range(len(self._blocks(stage)))]


class HybridBlock(EncoderBlock):
    """An encoder block whose attention belongs to the whole level, its feed-forward to it."""

    def __init__(self, norm: nn.LayerNorm, attention: Attention, width: int, hidden: int) -> None:
        nn.Module.__init__(self)
        self.norm1 = norm
        self.attn = attention
        self.norm2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width, hidden)


class TokenMean(nn.Module):
    """Mean over the tokens: (batch, tokens, width) to (batch, width)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


class TokenHead(nn.Module):
    """A leaf's classifier: norm, mean over tokens, linear."""

    def __init__(self, in_width: int, n_classes: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(in_width)
        self.fc = nn.Linear(in_width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.norm(x).mean(1))
