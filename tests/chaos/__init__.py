"""kill -9 and worse: what was promised holds all the same."""
