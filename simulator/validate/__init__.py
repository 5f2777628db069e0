"""Predictions against published measurements, vendors' models and peer simulators."""
