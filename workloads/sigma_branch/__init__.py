"""Sigma-Branch (arXiv 2606.09924): a dense network rebuilt as a tree, one path run per input."""
