"""Reporting how far a training is: to a terminal, or to nobody."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TextIO


class Progress(Protocol):
    """Told about a training as it goes; must not change it."""

    def begin(self, title: str, epochs: int, steps_per_epoch: int, done_steps: int) -> None:
        """A training starts, or goes on after `done_steps` steps."""
        ...

    def update(self, loss: float, n_examples: int) -> None:
        """One more step has been taken, over that many examples."""
        ...

    def close(self) -> None:
        """The training has ended, well or not."""
        ...


class NoProgress:
    """Reports nothing."""

    def begin(self, title: str, epochs: int, steps_per_epoch: int, done_steps: int) -> None:
        pass

    def update(self, loss: float, n_examples: int) -> None:
        pass

    def close(self) -> None:
        pass


class TerminalProgress:
    """One line that is rewritten in place: position, loss, rate and time left.

    Writes nothing where the stream is not a terminal, so that pipes and logs stay clean.

    Args:
        stream: where to write, usually standard error.
        clock: seconds, for tests.
        interval_s: least time between two rewrites.
    """

    def __init__(
        self,
        stream: TextIO,
        clock: Callable[[], float] = time.perf_counter,
        interval_s: float = 0.2,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._interval_s = interval_s
        self._silent = not stream.isatty()
        self.begin("training", 1, 1, 0)

    def begin(self, title: str, epochs: int, steps_per_epoch: int, done_steps: int) -> None:
        """Starts measuring; earlier steps count for the position but not for the rate."""
        self._title = title
        self._epochs = epochs
        self._steps_per_epoch = steps_per_epoch
        self._first_step = self._step = done_steps
        self._examples = 0
        self._started_s = self._clock()
        self._shown_s: float | None = None

    def update(self, loss: float, n_examples: int) -> None:
        """Rewrites the line, unless that was done a moment ago."""
        self._step += 1
        self._examples += n_examples
        now_s, steps = self._clock(), self._epochs * self._steps_per_epoch
        recent = self._shown_s is not None and now_s - self._shown_s < self._interval_s
        if self._silent or (recent and self._step < steps):
            return
        self._shown_s = now_s
        elapsed_s = max(now_s - self._started_s, 1e-9)
        left_s = (steps - self._step) * elapsed_s / (self._step - self._first_step)
        epoch = (self._step - 1) // self._steps_per_epoch + 1
        self._stream.write(
            f"\r\x1b[K{self._title}: epoch {epoch}/{self._epochs}, step {self._step}/{steps}, "
            f"loss {loss:.3f}, {self._examples / elapsed_s:.0f} examples/s, "
            f"{clock_time(left_s)} left"
        )
        self._stream.flush()

    def close(self) -> None:
        """Ends the line, if one was begun."""
        if self._shown_s is not None:
            self._stream.write("\n")
            self._stream.flush()
            self._shown_s = None


def clock_time(duration_s: float) -> str:
    """``1:02:03`` or ``2:03``, to the nearest second."""
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
