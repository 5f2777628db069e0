"""What one tile, transfer or inference costs on a spec; no schedule, no state."""
