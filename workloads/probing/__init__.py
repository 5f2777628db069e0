"""How early, and how surely, a built tree's decisions can be foreseen."""
