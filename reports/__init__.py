"""Pictures and tables of simulated runs; the only package that draws or builds frames."""
