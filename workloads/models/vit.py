"""A small vision transformer (arXiv 2010.11929) with mean pooling and separate q, k, v."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ViTShape:
    """Sizes of a vision transformer; its blocks are grouped into stages.

    Raises:
        ValueError: an image that is no multiple of the patch, a width no multiple of the heads.
    """

    image_size: int = 32
    patch_size: int = 4
    in_channels: int = 3
    width: int = 96
    n_heads: int = 3
    blocks_per_stage: tuple[int, ...] = (2, 2, 2)
    hidden: int = 384

    def __post_init__(self) -> None:
        if self.image_size % self.patch_size or self.width % self.n_heads:
            raise ValueError(
                f"image {self.image_size} must be a multiple of patch {self.patch_size}, width "
                f"{self.width} of {self.n_heads} heads"
            )

    @property
    def n_tokens(self) -> int:
        """Patches of an image."""
        return (self.image_size // self.patch_size) ** 2


class Attention(nn.Module):
    """Multi-head self-attention on (batch, tokens, width)."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.scale = (width // n_heads) ** -0.5
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.v = nn.Linear(width, width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self._heads(project(x)) for project in (self.q, self.k, self.v))
        weights = ((q * self.scale) @ k.transpose(-2, -1)).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(x.shape))

    def _heads(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) to (batch, heads, tokens, width / heads)."""
        batch, tokens, width = x.shape
        return x.view(batch, tokens, self.n_heads, width // self.n_heads).transpose(1, 2)


class FeedForward(nn.Module):
    """The position-wise network: width to `hidden` to width."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class EncoderBlock(nn.Module):
    """Pre-norm attention and feed-forward, each with its residual."""

    def __init__(self, width: int, n_heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, n_heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbedding(nn.Module):
    """Images to tokens: one linear map per patch, plus a learned position."""

    def __init__(self, shape: ViTShape) -> None:
        super().__init__()
        self.proj = nn.Conv2d(shape.in_channels, shape.width, shape.patch_size, shape.patch_size)
        self.position = nn.Parameter(torch.empty(1, shape.n_tokens, shape.width))
        nn.init.trunc_normal_(self.position, std=0.02)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).flatten(2).transpose(1, 2) + self.position


class ViT(nn.Module):
    """embed, stage1 ... stageN of encoder blocks, norm, mean over tokens, fc."""

    def __init__(self, shape: ViTShape, n_classes: int) -> None:
        super().__init__()
        self.shape = shape
        self.embed = PatchEmbedding(shape)
        for index, depth in enumerate(shape.blocks_per_stage):
            blocks = (EncoderBlock(shape.width, shape.n_heads, shape.hidden) for _ in range(depth))
            self.add_module(f"stage{index + 1}", nn.Sequential(*blocks))
        self.norm = nn.LayerNorm(shape.width)
        self.fc = nn.Linear(shape.width, n_classes)

    def stage(self, index: int) -> nn.Module:
        """The blocks of a stage, numbered from 0."""
        return self.get_submodule(f"stage{index + 1}")

    def forward(self, images: Tensor) -> Tensor:
        x = self.embed(images)
        for index in range(len(self.shape.blocks_per_stage)):
            x = self.stage(index)(x)
        return self.fc(self.norm(x).mean(1))
