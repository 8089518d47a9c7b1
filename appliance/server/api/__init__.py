"""REST under /api/v1: for scripts, agents and runs."""
