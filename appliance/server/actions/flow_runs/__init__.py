"""What people and scripts do with flow runs: one verb, one file."""
