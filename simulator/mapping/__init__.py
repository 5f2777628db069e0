"""From a program to a plan: what is fused, what stays on chip, how layers are tiled."""
