"""Flows that the benchmarks run."""
