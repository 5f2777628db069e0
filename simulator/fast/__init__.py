"""The same schedules as `simulator.engine`, as a max-plus recurrence without events."""
