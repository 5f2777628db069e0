"""Studies that train: one file per question; figures and tables are drawn from their JSON."""
