"""The shipped accelerators, one YAML file each; a package so that they travel in the wheel."""
