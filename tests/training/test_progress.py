"""The progress line, against a clock the test winds itself."""

import io

import pytest

from workloads.training.progress import TerminalProgress, clock_time


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_line_gives_position_rate_and_time_left() -> None:
    stream, clock = Terminal(), Clock()
    progress = TerminalProgress(stream, clock)
    # 20 of 100 steps were done in an earlier run; they cost this one no time.
    progress.begin("cifar100 dense", 10, 10, 20)
    for _ in range(5):
        clock.now_s += 2
        progress.update(1.25, 64)
    # 320 examples in 10 s; 75 steps of 2 s left.
    line = stream.getvalue().rpartition("\x1b[K")[2]
    assert line == "cifar100 dense: epoch 3/10, step 25/100, loss 1.250, 32 examples/s, 2:30 left"
    progress.close()
    assert stream.getvalue().endswith("left\n")


def test_lines_are_rewritten_at_most_every_interval_but_the_last_always() -> None:
    stream, clock = Terminal(), Clock()
    progress = TerminalProgress(stream, clock, interval_s=1)
    progress.begin("x", 1, 100, 0)
    for _ in range(100):
        clock.now_s += 0.1
        progress.update(0.0, 1)
    # 10 s: the first step, then one a second, then the last.
    assert 10 <= stream.getvalue().count("\r") <= 12
    assert "step 100/100" in stream.getvalue()


def test_pipes_stay_empty() -> None:
    stream = io.StringIO()
    progress = TerminalProgress(stream)
    progress.begin("x", 1, 2, 0)
    progress.update(0.0, 1)
    progress.close()
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (150, "2:30"), (3723, "1:02:03")]
)
def test_clock_time(seconds: float, text: str) -> None:
    assert clock_time(seconds) == text
