"""Whole-program benchmarks, run by `make bench`."""
