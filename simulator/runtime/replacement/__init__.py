"""What the managed region keeps when there is no room for all: one policy a file."""
