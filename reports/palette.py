"""Colours that mean the same in every figure, from the Okabe-Ito palette (colour-blind safe).

Okabe and Ito, "Color Universal Design", 2008. Blue is computing, orange is weights and the
DRAM they come from, green the scratchpad, whichever figure shows them.
"""

from __future__ import annotations

from simulator.mapping.tiles import TransferKind
from simulator.result import Resource, StallKind
from simulator.speculated import USEFUL, WASTED

BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
ORANGE = "#E69F00"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
YELLOW = "#F0E442"
BLACK = "#000000"
DARK_GREY = "#4D4D4D"
GREY = "#8C8C8C"
PALE_GREY = "#F2F2F2"
WHITE = "#FFFFFF"

SERIES = (BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE, BLACK, YELLOW)
"""For things that have no colour of their own, such as a network's segments."""

COMPUTE = BLUE
STALLS = {
    StallKind.WEIGHT_WAIT: ORANGE,
    StallKind.ACTIVATION_WAIT: SKY,
    StallKind.ROUTE_WAIT: VERMILION,
    StallKind.MISPREDICT_REFETCH: YELLOW,
    StallKind.SCRATCHPAD_FULL: GREEN,
    StallKind.DRAIN: GREY,
}
RESOURCES = {
    Resource.PE_ARRAY: BLUE,
    Resource.VECTOR_UNIT: PURPLE,
    Resource.DRAM: ORANGE,
}
TRANSFERS = {
    TransferKind.WEIGHT: ORANGE,
    TransferKind.IFMAP: SKY,
    TransferKind.OFMAP: GREY,
}
DRAM_SPANS = {
    **{kind.value: colour for kind, colour in TRANSFERS.items()},
    USEFUL: GREEN,
    WASTED: BLACK,
}
"""By kind of span: speculation has colours of its own, by whether the arm was taken."""
ENERGY = {
    "mac": BLUE,
    "vector": PURPLE,
    "scratchpad": GREEN,
    "dram": ORANGE,
    "static": GREY,
}
