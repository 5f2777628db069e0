"""The recurrence and what is derived from it, as loops over columns of integers.

A single run calls them as they are, on tuples and lists; sweeps call them compiled, on NumPy
arrays (`simulator.fast.compiled`). One source, so both are the same to the picosecond.
"""
