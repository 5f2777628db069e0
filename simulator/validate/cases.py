"""Every validation case, in the order in which they are shown."""

from __future__ import annotations

from simulator.validate import scalesim
from simulator.validate.case import Case

CASES: tuple[Case, ...] = (scalesim.CASE,)
