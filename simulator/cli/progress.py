"""A line of progress that renews itself, where somebody is watching."""

from __future__ import annotations

import sys
import time

from simulator.cli.format import quantity
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


class StepLine:
    """Which of a few long steps runs, and about how long the rest takes; for terminals only."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._began_s = time.monotonic()
        self._done = 0

    def begin(self, step: str) -> None:
        """Show that the next step runs."""
        if sys.stderr.isatty():
            text = f"{self._what} {self._done + 1} of {self._total}, {step}"
            if self._done:
                each_s = (time.monotonic() - self._began_s) / self._done
                text += f"; {_duration(each_s * (self._total - self._done))} left"
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        self._done += 1

    def close(self) -> None:
        """Leave a clean line behind."""
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
