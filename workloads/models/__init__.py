"""Dense networks as plain modules, with the state-dict keys of the usual checkpoints."""
