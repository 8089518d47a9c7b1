"""Benchmarks: ours beside the floors of this machine and beside the peers, in one run. They print ratios and gate nothing."""
