"""Training: recipes, one loop for dense networks and soft trees, checkpoints, evaluation."""
