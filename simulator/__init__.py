"""Hardware-aware simulator of edge accelerators for dense and dynamic neural networks."""

from simulator.version import __version__

__all__ = ["__version__"]
