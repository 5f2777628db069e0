"""Building: from a data set and a named network to a fine-tuned tree with its files."""
