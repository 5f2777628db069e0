"""Questions that simulation alone answers: their rows, and the claims that follow from them."""
