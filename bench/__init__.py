"""Reproducible comparisons, with the peers they compare to. `make bench` runs them and writes bench/README.md."""
