"""What a built tree computes with weights and activations of few bits."""
