"""A figure measured in inches from its top left corner, and its PNG bytes.

Drawn with matplotlib's object interface on the Agg canvas: no display, no global figure, and
for the same inputs the same bytes, whatever the user's own matplotlib settings.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.palette import BLACK, DARK_GREY
from reports.wording import clip

DPI = 200
POINTS_PER_INCH = 72
CHARACTER_WIDTH_IN = 0.0675
"""Mean width of a character of an 8 point label, a little on the safe side."""

HEADLINE_PT = 12.0
CAPTION_PT = 9.0
LABEL_PT = 8.0
MARGIN_IN = 0.2
HEADER_IN = 0.95
"""Height that headline and caption take at the top."""

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": CAPTION_PT,
    "axes.labelsize": CAPTION_PT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "grid.color": "#D9D9D9",
    "grid.linewidth": 0.6,
    "xtick.labelsize": LABEL_PT,
    "ytick.labelsize": LABEL_PT,
    "legend.fontsize": LABEL_PT,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.handleheight": 0.9,
    "legend.columnspacing": 1.4,
    "patch.linewidth": 0.0,
    # Names come from users' files; a dollar sign in one is no formula.
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Sheet:
    """One figure: a headline, a caption of one or two lines, and axes placed in inches."""

    width_in: float
    height_in: float
    headline: str
    caption: str
    figure: Figure = field(init=False)

    def __post_init__(self) -> None:
        figure = Figure(figsize=(self.width_in, self.height_in), dpi=DPI, facecolor="white")
        object.__setattr__(self, "figure", figure)
        self.text(MARGIN_IN, MARGIN_IN, self.headline, size=HEADLINE_PT, weight="bold")
        most = int((self.width_in - 2 * MARGIN_IN) / CHARACTER_WIDTH_IN * LABEL_PT / CAPTION_PT)
        caption = "\n".join(clip(line, most) for line in self.caption.splitlines())
        self.text(MARGIN_IN, MARGIN_IN + 0.27, caption, color=DARK_GREY)

    def axes(
        self, left_in: float, top_in: float, width_in: float, height_in: float, **options: Any
    ) -> Axes:
        """New axes; the frame's top left corner and size, without labels."""
        bottom_in = self.height_in - top_in - height_in
        return self.figure.add_axes(
            (
                left_in / self.width_in,
                bottom_in / self.height_in,
                width_in / self.width_in,
                height_in / self.height_in,
            ),
            **options,
        )

    def text(self, left_in: float, top_in: float, text: str, **options: Any) -> None:
        """Text whose top left corner is given, unless ha or va say otherwise."""
        settings = {"ha": "left", "va": "top", "color": BLACK, "linespacing": 1.35, **options}
        self.figure.text(left_in / self.width_in, 1 - top_in / self.height_in, text, **settings)

    def legend(self, handles: list[Any], left_in: float, top_in: float, **options: Any) -> None:
        """A legend whose top left corner is given."""
        settings = {"loc": "upper left", "borderpad": 0, "borderaxespad": 0, **options}
        anchor = (left_in / self.width_in, 1 - top_in / self.height_in)
        self.figure.legend(handles=handles, bbox_to_anchor=anchor, **settings)


def png_bytes(draw: Callable[[], Sheet]) -> bytes:
    """Draw a sheet in the house's style and encode it, leaving matplotlib's settings alone."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        encoded = io.BytesIO()
        # Without the Software field, the bytes say nothing of the matplotlib that drew them.
        draw().figure.savefig(encoded, format="png", metadata={"Software": None})
    return encoded.getvalue()
