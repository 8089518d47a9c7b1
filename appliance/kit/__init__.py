"""Domain-free building blocks: the clock, ids, back-off, process lifecycle, environment and log formatting."""
