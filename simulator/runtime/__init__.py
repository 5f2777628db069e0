"""A device over a stream of inputs: what its scratchpad keeps from one inference to the next."""
