"""Numbers as people read them."""

from __future__ import annotations

from rich.console import Console

PIPE_WIDTH = 120
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def quantity(value: float, unit: str, digits: int = 4) -> str:
    """A value with an SI prefix and a unit: 0.002528 s is ``2.528 ms``."""
    for scale, prefix in _PREFIXES:
        if abs(value) >= scale:
            return f"{value / scale:.{digits}g} {prefix}{unit}"
    return f"0 {unit}"


def percent(part: float, whole: float) -> str:
    """A share in percent, or a dash where there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def kib(n_bytes: float) -> str:
    """Bytes in KiB or MiB, as capacities are given."""
    if n_bytes >= 2**20:
        return f"{n_bytes / 2**20:.2f} MiB"
    return f"{n_bytes / 2**10:.1f} KiB"


def bar(fraction: float, width: int = 24) -> str:
    """A horizontal bar of block characters."""
    eighths = round(max(0.0, min(1.0, fraction)) * width * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def make_console() -> Console:
    """A console as wide as the terminal, or 120 columns where there is none."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console
