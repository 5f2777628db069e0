"""What every part of a spec is built from: an immutable record and bounded numbers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


def whole(low: int, high: int) -> Any:
    """A whole number from low to high."""
    return Field(ge=low, le=high, strict=True)


def real(low: float, high: float) -> Any:
    """A finite number from low to high."""
    return Field(ge=low, le=high, allow_inf_nan=False, strict=True)


class Part(BaseModel):
    """Base of all parts: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def derived(self) -> frozenset[str]:
        """Fields that were left out and follow from others."""
        return frozenset()
