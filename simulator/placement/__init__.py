"""Chooses bits and tier of every node of a tree within an accuracy budget and a scratchpad."""
