"""REST under /api/v1: what scripts, agents and runs call, and the gate that every request passes through."""
