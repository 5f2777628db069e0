"""The reference: SimPy processes for DMA, DRAM, PE array, vector unit, scratchpad, sequencer."""

from simulator.engine.simulate import EngineRun, simulate

__all__ = ["EngineRun", "simulate"]
