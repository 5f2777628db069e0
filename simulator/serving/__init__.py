"""Requests that arrive at an accelerator: queueing, deadlines, percentiles, capacity."""
