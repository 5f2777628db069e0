"""Networks in PyTorch: their definition, training and tracing into programs. Needs torch."""
