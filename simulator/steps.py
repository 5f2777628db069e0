"""How far a long computation is."""

from __future__ import annotations


class Steps:
    """Counts what a long computation has done; as it is, nobody watches.

    Attributes:
        total: how many steps there are, as far as is known; 0 if it is not.
        done: how many of them are.
        what: the one that runs.
    """

    def __init__(self, total: int = 0) -> None:
        self.total = total
        self.done = 0
        self.what = ""

    def restart(self, total: int) -> None:
        """Another part of the computation runs, whose steps take another time."""
        self.total, self.done = total, 0

    def begin(self, what: str) -> None:
        """The next step runs."""
        self.what = what
        self.show()

    def advance(self, count: int = 1) -> None:
        """So many more steps are done."""
        self.done += count
        self.show()

    def show(self) -> None:
        """Tell whoever watches; called often."""
