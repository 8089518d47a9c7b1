"""The peers' side of the comparisons; each script runs in the peer's own environment and imports nothing of ours."""
