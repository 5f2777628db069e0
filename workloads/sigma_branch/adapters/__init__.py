"""One file per family of dense networks: how it is cut into trunk, stages and head."""
