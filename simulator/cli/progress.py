"""A line of progress that renews itself, where somebody is watching."""

from __future__ import annotations

import sys
import time
from typing import Self

from simulator.cli.format import quantity
from simulator.steps import Steps
from simulator.study.execute import Progress

RENEW_S = 0.2


class ProgressLine:
    """Points done, rate, time left and best so far on stderr; silent where that is no terminal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began_s = self._shown_s = time.monotonic()
        self._shows = sys.stderr.isatty()
        self.latest: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        """Show how far it is, but not more often than anybody can read."""
        self.latest = progress
        now_s = time.monotonic()
        if self._shows and now_s - self._shown_s >= RENEW_S:
            self._shown_s = now_s
            sys.stderr.write(f"\r\x1b[K{self.text(progress, now_s - self._began_s)}")
            sys.stderr.flush()

    def text(self, progress: Progress, elapsed_s: float) -> str:
        """The line itself."""
        parts = [f"{self._what} {progress.finished:,} of {progress.total:,} points"]
        computed = progress.finished - progress.reused
        if computed and elapsed_s > 0:
            rate = computed / elapsed_s
            left_s = (progress.total - progress.finished) / rate
            parts.append(f"{rate:,.1f}/s, {_duration(left_s)} left")
        if progress.infeasible:
            parts.append(f"{progress.infeasible:,} infeasible")
        if progress.best is not None:
            latency_ps = progress.best[1].metric("latency_mean_ps") or 0
            parts.append(f"best {quantity(latency_ps / 1e12, 's')}")
        return "; ".join(parts)

    def close(self) -> None:
        """Leave a clean line behind."""
        if self._shows:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class StepLine(Steps):
    """Which step of a long computation runs, and about how long the rest takes.

    Silent where stderr is no terminal. Leaves a clean line behind, also where it is left early.
    """

    def __init__(self, what: str, total: int = 0, unit: str = "") -> None:
        """`unit` names steps that are many and alike: they are counted with their rate."""
        super().__init__(total)
        self._what, self._unit = what, unit
        self._began_s = time.monotonic()
        self._shown_s = -RENEW_S
        self._shown = ""
        self._shows = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def restart(self, total: int) -> None:
        """Time what is left by the steps of this part alone."""
        super().restart(total)
        self._began_s = time.monotonic()

    def show(self) -> None:
        """Show the line, but not more often than anybody can read unless another step began."""
        if not self._shows:
            return
        now_s = time.monotonic()
        if now_s - self._shown_s >= RENEW_S or self.what != self._shown:
            self._shown_s, self._shown = now_s, self.what
            sys.stderr.write(f"\r\x1b[K{self.text(now_s - self._began_s)}")
            sys.stderr.flush()

    def text(self, elapsed_s: float) -> str:
        """The line itself."""
        total = max(self.total, self.done)
        if self._unit:
            parts = [f"{self._what} {self.done:,} of {total:,} {self._unit}"]
        elif total:
            parts = [f"{self._what} {min(self.done + 1, total):,} of {total:,}"]
        else:
            parts = [self._what]
        if self.what:
            parts[0] += f"{',' if total else ''} {self.what}"
        if self.done and elapsed_s > 0:
            rate = f"{self.done / elapsed_s:,.1f}/s, " if self._unit else ""
            left_s = (total - self.done) * elapsed_s / self.done
            parts.append(f"{rate}{_duration(left_s)} left")
        return "; ".join(parts)

    def clear(self) -> None:
        """Take the line away, for something else to be printed or for good."""
        if self._shows:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
