"""Prefetch policies: which arms of an undecided branch are worth fetching weights for."""
